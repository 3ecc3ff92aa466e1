import { StepRunner } from '../../../lambda/runtime/journal/step-runner';
import { UsageMeter } from '../../../lambda/runtime/limits/usage-meter';
import { callTool, compileToolSchemas, type ToolCallDeps } from '../../../lambda/runtime/tools';

const limits = { maxToolCalls: 3, maxModelCalls: 1, maxSteps: 200, maxTokens: 1, maxCost: 1, maxDurationMs: 1 };
const tools = {
  search: {
    type: 'object',
    properties: { q: { type: 'string', minLength: 1 }, limit: { type: 'integer', maximum: 8 } },
    required: ['q'],
    additionalProperties: false,
  },
};

function parts(controller = new AbortController()): ToolCallDeps & { readonly lines: [string, unknown][] } {
  const lines: [string, unknown][] = [];
  const log = (message: string, fields?: unknown) => lines.push([message, fields]);
  const logger = { debug: log, info: log, warn: log, error: log };
  const meter = new UsageMeter(limits, () => {});
  const task = { taskId: `t-${'0'.repeat(32)}`, attempt: 1, release: 'r-0123456789ab' };
  return {
    schemas: compileToolSchemas(tools),
    steps: new StepRunner({ ...task, journal: undefined, meter, logger, controller }),
    meter,
    logger,
    signal: controller.signal,
    lines,
  };
}

test('gives the tool its input and the agent its answer, counted and logged', async () => {
  const p = parts();
  expect(await callTool(p, 'search', { q: 'x', limit: 2 }, ({ q, limit }) => `${q}${limit}`)).toBe('x2');
  expect(p.meter.usage.toolCalls).toBe(1);
  expect(p.lines).toEqual([
    ['tool answered', { component: 'tool', tool: 'search', outcome: 'ok', durationMs: expect.any(Number) }],
  ]);
});

test('refuses a tool that the release does not hold, and says what to add', async () => {
  const run = jest.fn();
  await expect(callTool(parts(), 'fetch', {}, run)).rejects.toThrow(
    'no tool "fetch"; it has "search". Add tools/fetch.json',
  );
  expect(run).not.toHaveBeenCalled();
});

test.each([
  [{}, /search\.input\.q/],
  [{ q: '' }, /search\.input\.q/],
  [{ q: 'x', limit: 9 }, /search\.input\.limit/],
  [{ q: 'x', limt: 9 }, /limt/],
])('refuses the input %j and names the path', async (input, path) => {
  const run = jest.fn();
  await expect(callTool(parts(), 'search', input, run)).rejects.toThrow(path);
  expect(run).not.toHaveBeenCalled();
});

test('refuses a call beyond the limit before it is made', async () => {
  const p = parts();
  const run = jest.fn();
  for (let call = 0; call < 3; call += 1) {
    await callTool(p, 'search', { q: 'x' }, run);
  }
  await expect(callTool(p, 'search', { q: 'x' }, run)).rejects.toMatchObject({
    code: 'limit_exceeded',
    limit: 'maxToolCalls',
    message: 'the task tried to call tool "search" after 3 tool calls; its release allows maxToolCalls = 3',
  });
  expect(run).toHaveBeenCalledTimes(3);
  expect(p.meter.usage.toolCalls).toBe(3);
});

test('logs a tool that fails, with its reason, and hands the error on', async () => {
  const p = parts();
  const failure = callTool(p, 'search', { q: 'x' }, () => {
    throw new Error('index is away');
  });
  await expect(failure).rejects.toThrow('index is away');
  expect(p.lines).toEqual([['tool failed', expect.objectContaining({ outcome: 'error', reason: 'index is away' })]]);
});

test('leaves a hanging tool behind when the task must end', async () => {
  const controller = new AbortController();
  const call = callTool(parts(controller), 'search', { q: 'x' }, () => new Promise(() => {}));
  controller.abort(new Error('time is up'));
  await expect(call).rejects.toThrow('time is up');
});

test('refuses a schema that cannot be checked, and names the tool', () => {
  expect(() => compileToolSchemas({ odd: { type: 'nonsense' } })).toThrow(/input schema of tool "odd" cannot be used/);
});
