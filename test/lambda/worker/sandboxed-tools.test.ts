import { Bench } from './support/attempt-harness';
import { behaviorDocument } from './support/task-cloud';

const bench = new Bench();

/** A release of development: `search` is not to touch what is real. */
function sandboxed(): void {
  bench.cloud.s3 = () => ({ body: behaviorDocument({ sandboxedTools: ['search'] }) });
}

test('a sandboxed tool runs its sandbox, with the checked input, and leaves the real one alone', async () => {
  sandboxed();
  const real = jest.fn(() => 'from the world');
  const { record } = await bench.work((ctx) =>
    ctx.tool('search', { q: 'x' }, real, {
      sandbox: ({ q }, { idempotencyKey }) => `${q} ${idempotencyKey.length > 8}`,
    }),
  );
  expect(record).toMatchObject({ status: 'succeeded', result: 'x true', usage: { toolCalls: 1 } });
  expect(real).not.toHaveBeenCalled();
});

test('refuses a sandboxed tool without a sandbox, and says what to do', async () => {
  sandboxed();
  const real = jest.fn(() => 'from the world');
  const { record } = await bench.work((ctx) => ctx.tool('search', { q: 'x' }, real));
  expect(record).toMatchObject({
    status: 'failed',
    error: { code: 'tool_sandboxed', message: expect.stringContaining('{ sandbox: (input) => … }') },
  });
  expect(real).not.toHaveBeenCalled();
});

test('refuses an input that does not fit in the sandbox as well', async () => {
  sandboxed();
  const sandbox = jest.fn(() => 'never');
  const { record } = await bench.work((ctx) => ctx.tool('search', {}, () => 'never', { sandbox }));
  expect(record).toMatchObject({ status: 'failed', error: { code: 'tool_input' } });
  expect(sandbox).not.toHaveBeenCalled();
});

test('elsewhere the tool itself runs', async () => {
  const sandbox = jest.fn(() => 'made up');
  const { record } = await bench.work((ctx) => ctx.tool('search', { q: 'x' }, () => 'from the world', { sandbox }));
  expect(record).toMatchObject({ status: 'succeeded', result: 'from the world' });
  expect(sandbox).not.toHaveBeenCalled();
});

test('refuses a tool that its environment does not allow: the release does not hold it', async () => {
  bench.cloud.s3 = () => ({ body: behaviorDocument({ tools: {} }) });
  const real = jest.fn(() => 'from the world');
  const { record } = await bench.work((ctx) => ctx.tool('search', { q: 'x' }, real));
  expect(record).toMatchObject({
    status: 'failed',
    error: { code: 'tool_unknown', message: expect.stringContaining('tools that its environment allows') },
  });
  expect(real).not.toHaveBeenCalled();
});
