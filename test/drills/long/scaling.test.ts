import { DRILL_TIMEOUT_MS, runContainerDrill } from '../run-named-drill';

test(
  'scaling: workers scale from zero to the maximum and back to zero, and no busy worker is stopped',
  async () => {
    const [, workers] = await runContainerDrill('scaling');
    const under = workers.scaling.filter(({ lane, second }) => lane === 'stable' && second >= 0);
    expect(under[0]?.from).toBe(0);
    expect(Math.max(...under.map(({ to }) => to))).toBe(6);
    expect(under.at(-1)?.to).toBe(0);
    expect(workers.secondsToFirstWorker).toBeGreaterThan(0);
    expect(workers.requeued).toBe(0);
  },
  DRILL_TIMEOUT_MS,
);
