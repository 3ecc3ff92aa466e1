import * as fc from 'fast-check';
import { z } from 'zod';
import { validateAgentSettings } from '../../../lambda/runtime/agent-settings';
import type { Schema } from '../../../lambda/runtime/schema';

const settings = z.object({
  CRM_URL: z.url(),
  CRM_MODE: z.enum(['read', 'write']),
  PAGE_SIZE: z.coerce.number().int(),
});
const GOOD = { CRM_URL: 'https://crm.example.com', CRM_MODE: 'read', PAGE_SIZE: '50' };

test('are given as the schema makes them, whatever else is in the environment', async () => {
  const checked = await validateAgentSettings(settings, { ...GOOD, PATH: '/bin', AWS_REGION: 'eu-west-1' });
  expect(checked).toEqual({ ok: true, value: { CRM_URL: GOOD.CRM_URL, CRM_MODE: 'read', PAGE_SIZE: 50 } });
});

test('fails with one line that names each one missing and each one malformed, and what was expected', async () => {
  const checked = await validateAgentSettings(settings, { CRM_MODE: 'sideways', PAGE_SIZE: '50' });
  expect(checked).toEqual({
    ok: false,
    message:
      'settings of the agent: CRM_URL is missing: Invalid input: expected string, received undefined; ' +
      'CRM_MODE is malformed: Invalid option: expected one of "read"|"write" ' +
      '(expected in the environment of the worker: see settings of defineAgent and environment of WorkerSpec.lambda)',
  });
});

test("fails without repeating a value, though the schema's own message holds it", async () => {
  const talkative: Schema<unknown> = {
    '~standard': {
      validate: (value) => ({
        issues: [
          { path: ['CRM_URL'], message: `got ${(value as typeof GOOD).CRM_URL}\nand did not like it` },
          { message: `together with ${(value as typeof GOOD).CRM_MODE}` },
        ],
      }),
    },
  };
  await fc.assert(
    fc.asyncProperty(fc.string({ minLength: 8 }), fc.string({ minLength: 8 }), async (url, mode) => {
      const random = { CRM_URL: `<${url}>`, CRM_MODE: `[${mode}]` };
      const checked = await validateAgentSettings(talkative, random);
      if (checked.ok) {
        throw new Error('the settings were accepted');
      }
      expect(checked.message).not.toContain(random.CRM_URL);
      expect(checked.message).not.toContain(random.CRM_MODE);
      expect(checked.message.split('\n')).toHaveLength(1);
      expect(checked.message).toContain('CRM_URL is malformed');
    }),
  );
});

test("does not see the library's own variables", async () => {
  const seen = await validateAgentSettings(z.record(z.string(), z.string()), {
    AGENT_LANES_AGENT: 'support',
    CRM_MODE: 'read',
  });
  expect(seen).toEqual({ ok: true, value: { CRM_MODE: 'read' } });
});
