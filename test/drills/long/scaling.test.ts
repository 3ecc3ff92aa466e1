import { runInContainers } from '../containers';
import { DRILL_TIMEOUT_MS } from '../run-named-drill';

test(
  'scaling: workers come with the load, from none to the most, and go when it is over; none is ended at work',
  async () => {
    const [, workers] = await runInContainers('scaling');
    const under = workers.scaling.filter(({ lane, second }) => lane === 'stable' && second >= 0);
    expect(under[0]?.from).toBe(0);
    expect(Math.max(...under.map(({ to }) => to))).toBe(6);
    expect(under.at(-1)?.to).toBe(0);
    expect(workers.secondsToFirstWorker).toBeGreaterThan(0);
    expect(workers.requeued).toBe(0);
  },
  DRILL_TIMEOUT_MS,
);
