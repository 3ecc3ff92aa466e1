import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SynthesisError, Synthesizer } from '../../../../rehearsal/drill/scenario/synthesizer';

/** A CDK app for tests: writes its context and environment into the assembly. */
const ECHO = `
const fs = require('fs');
fs.writeFileSync(process.env.CDK_OUTDIR + '/manifest.json', JSON.stringify({
  version: '1', context: JSON.parse(process.env.CDK_CONTEXT_JSON), variant: process.env.VARIANT,
  missing: process.env.MISSING ? [{ key: process.env.MISSING }] : undefined }));
fs.appendFileSync('runs', 'x');
`;

describe('Synthesizer', () => {
  let directory: string;
  let abort: AbortController;
  let synthesizer: Synthesizer;
  const app = `"${process.execPath}" app.js`;
  const read = (assembly: string) => JSON.parse(readFileSync(join(assembly, 'manifest.json'), 'utf8'));

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'synth-'));
    writeFileSync(join(directory, 'app.js'), ECHO);
    abort = new AbortController();
    synthesizer = new Synthesizer({ directory, output: join(directory, 'out'), signal: abort.signal });
  });

  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  test("hands the app its context: the tool's, then cdk.json, cdk.context.json and the release's", async () => {
    writeFileSync(join(directory, 'cdk.json'), JSON.stringify({ app: 'x', context: { a: 1, b: 1, c: 1 } }));
    writeFileSync(join(directory, 'cdk.context.json'), JSON.stringify({ b: 2, c: 2 }));
    const assembly = await synthesizer.synthesize({ app, context: { c: 3 }, environment: { VARIANT: 'v' } });
    expect(read(assembly)).toMatchObject({
      variant: 'v',
      context: { a: 1, b: 2, c: 3, 'aws:cdk:enable-path-metadata': true, 'aws:cdk:bundling-stacks': ['**'] },
    });
    expect(await synthesizer.defaultApp()).toBe('x');
  });

  test('runs the app once for the same context, and again for another', async () => {
    const first = synthesizer.synthesize({ app, context: { a: 1 }, environment: {} });
    expect(synthesizer.synthesize({ app, context: { a: 1 }, environment: {} })).toBe(first);
    const other = await synthesizer.synthesize({ app, context: { a: 2 }, environment: {} });
    expect(other).not.toBe(await first);
    expect(readFileSync(join(directory, 'runs'), 'utf8')).toBe('xx');
  });

  test('uses a cloud assembly without running an app', async () => {
    const assembly = await synthesizer.synthesize({ app, context: {}, environment: {} });
    expect(await synthesizer.synthesize({ app: assembly, context: {}, environment: {} })).toBe(assembly);
  });

  test('fails with the standard error of the app', async () => {
    const failing = `"${process.execPath}" -e "console.error('the prompt is empty'); process.exit(3)"`;
    const error = await synthesizer
      .synthesize({ app: failing, context: {}, environment: {} })
      .catch((caught) => caught);
    expect(error).toBeInstanceOf(SynthesisError);
    expect(error.message).toMatch(/ended with exit code 3:\nthe prompt is empty$/);
  });

  test('fails when the app writes no assembly', async () => {
    const idle = `"${process.execPath}" -e 0`;
    await expect(synthesizer.synthesize({ app: idle, context: {}, environment: {} })).rejects.toThrow(
      'wrote no cloud assembly',
    );
  });

  test('rejects an app with context lookups', async () => {
    await expect(
      synthesizer.synthesize({ app, context: {}, environment: { MISSING: 'vpc-provider:x' } }),
    ).rejects.toThrow('looks up vpc-provider:x');
  });

  test('rejects a cdk.json that is not JSON', async () => {
    writeFileSync(join(directory, 'cdk.json'), '{');
    await expect(synthesizer.synthesize({ app, context: {}, environment: {} })).rejects.toThrow(
      'cdk.json: is not a JSON object',
    );
  });

  test('stops a running app when interrupted', async () => {
    const endless = `"${process.execPath}" -e "setInterval(() => 0, 1000)"`;
    const running = synthesizer.synthesize({ app: endless, context: {}, environment: {} });
    setTimeout(() => abort.abort(), 200);
    await expect(running).rejects.toThrow('interrupted');
  });
});
