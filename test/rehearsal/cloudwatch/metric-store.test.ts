import { MetricStore } from '../../../rehearsal/services/cloudwatch/metric-store';
import {
  computeStatistic,
  parseStatistic,
  samplesForPercentile,
} from '../../../rehearsal/services/cloudwatch/statistics';

const METRIC = { namespace: 'AgentLanes', name: 'TaskCost', dimensions: { Agent: 'support', Lane: 'stable' } };
const T0 = Date.UTC(2030, 0, 1);

describe('metric store', () => {
  test('gives the values of a time span, whatever the order of the dimensions', () => {
    const store = new MetricStore();
    store.put(METRIC, T0 + 5_000, [1, 2]);
    store.put({ ...METRIC, dimensions: { Lane: 'stable', Agent: 'support' } }, T0 + 15_000, [3]);
    expect(store.values(METRIC, T0, T0 + 10_000)).toEqual([1, 2]);
    expect(store.values(METRIC, T0, T0 + 20_000)).toEqual([1, 2, 3]);
  });

  test('keeps dimension sets apart', () => {
    const store = new MetricStore();
    store.put(METRIC, T0, [1]);
    expect(store.values({ ...METRIC, dimensions: { Agent: 'support' } }, T0, T0 + 60_000)).toEqual([]);
  });

  test('gives only the values of a unit that is asked for', () => {
    const store = new MetricStore();
    store.put(METRIC, T0, [1], 'Count');
    store.put(METRIC, T0, [2], 'Milliseconds');
    expect(store.values(METRIC, T0, T0 + 60_000, 'Count')).toEqual([1]);
    expect(store.values(METRIC, T0, T0 + 60_000)).toEqual([1, 2]);
  });

  test('drops what is older than its retention, and remembers that there was data', () => {
    const store = new MetricStore({ retentionMs: 60_000 });
    store.put(METRIC, T0, [1]);
    store.put({ ...METRIC, name: 'Other' }, T0 + 120_000, [2]);
    expect(store.size()).toBe(1);
    expect(store.values(METRIC, T0, T0 + 10_000)).toEqual([]);
    expect(store.hasReceived(METRIC)).toBe(true);
  });

  test('holds no more values than it may', () => {
    const store = new MetricStore({ maxValues: 100 });
    for (let second = 0; second < 5_000; second += 10) {
      store.put(METRIC, T0 + second * 1000, [1, 2, 3]);
    }
    expect(store.size()).toBeLessThanOrEqual(100);
    expect(store.values(METRIC, T0 + 4_990_000, T0 + 5_000_000)).toEqual([1, 2, 3]);
  });
});

describe('statistics', () => {
  test.each([
    ['Sum', 10],
    ['Average', 2.5],
    ['Minimum', 1],
    ['Maximum', 4],
    ['SampleCount', 4],
    ['p50', 2.5],
    ['p0', 1],
    ['p100', 4],
    ['p90', 3.7],
  ])('%s', (name, expected) => {
    const statistic = parseStatistic(name);
    expect(statistic && computeStatistic(statistic, [4, 1, 3, 2])).toBeCloseTo(expected, 10);
  });

  test('without a value there is no data point', () => {
    expect(computeStatistic({ kind: 'Sum' }, [])).toBeUndefined();
  });

  test.each(['tm99', 'PR(1:2)', 'p101', 'avg', ''])('does not know %p', (name) => {
    expect(parseStatistic(name)).toBeUndefined();
  });

  test('says how many samples a percentile needs', () => {
    expect(samplesForPercentile(99)).toBe(1000);
    expect(samplesForPercentile(90)).toBe(100);
    expect(samplesForPercentile(10)).toBe(100);
  });
});
