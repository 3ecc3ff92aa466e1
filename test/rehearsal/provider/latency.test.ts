import { seededRandom } from '../../../rehearsal/core/random';
import { providerRuleSchema } from '../../../rehearsal/provider';
import { pickLatency } from '../../../rehearsal/provider/script';

describe('pickLatency', () => {
  const sample = (latency: Parameters<typeof pickLatency>[0]) => {
    const random = seededRandom('latency');
    return Array.from({ length: 20_000 }, () => pickLatency(latency, random)).sort((a, b) => a - b);
  };

  test('keeps to the range of a uniform latency', () => {
    const values = sample({ min: 10, max: 30 });
    expect(values[0]).toBeGreaterThanOrEqual(10);
    expect(values.at(-1)).toBeLessThan(30);
  });

  test('hits median and 99th percentile of a log-normal latency within a tenth', () => {
    const values = sample({ median: 20, p99: 200 });
    expect(values[10_000]).toBeGreaterThan(18);
    expect(values[10_000]).toBeLessThan(22);
    expect(values[19_800]).toBeGreaterThan(180);
    expect(values[19_800]).toBeLessThan(220);
  });
});

describe('providerRuleSchema', () => {
  test('rejects rates with a sum above 1', () => {
    const rule = { name: 'x', errors: [{ status: 500, rate: 0.6 }], timeoutRate: 0.3, refusalRate: 0.2 };
    expect(providerRuleSchema.safeParse(rule).error?.issues[0]?.message).toContain('add up to more than 1');
  });

  test('rejects an invalid regular expression, and a range with min above max', () => {
    expect(providerRuleSchema.safeParse({ name: 'x', match: { text: { regex: '(' } } }).success).toBe(false);
    expect(providerRuleSchema.safeParse({ name: 'x', answer: { latencyMs: { min: 2, max: 1 } } }).success).toBe(false);
  });
});
