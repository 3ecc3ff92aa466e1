import { AsyncLocalStorage } from 'node:async_hooks';
import { StepRunner } from '../../../../lambda/runtime/journal/step-runner';
import { UsageMeter } from '../../../../lambda/runtime/limits/usage-meter';

const limits = { maxToolCalls: 1, maxModelCalls: 1, maxSteps: 200, maxTokens: 1, maxCost: 1, maxDurationMs: 1 };
const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function stepsOfATask(): StepRunner {
  return new StepRunner({
    taskId: `t-${'0'.repeat(32)}`,
    attempt: 1,
    release: 'r-0123456789ab',
    journal: undefined,
    meter: new UsageMeter(limits, () => {}),
    logger,
    controller: new AbortController(),
  });
}

test('leaves nothing in the process that a later task would pay for: all tasks share one storage', async () => {
  const used = jest.spyOn(AsyncLocalStorage.prototype, 'run');
  for (let task = 0; task < 5; task += 1) {
    const steps = stepsOfATask();
    const key = steps.keyOfName('think');
    expect(await steps.run({ key, kind: 'step', name: 'think' }, async () => ({ value: task }))).toBe(task);
  }
  expect(used).toHaveBeenCalledTimes(5);
  expect(new Set(used.mock.contexts).size).toBe(1);
  used.mockRestore();
});
