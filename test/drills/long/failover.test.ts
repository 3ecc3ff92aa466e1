import { FAILOVER_KEY } from '../../../rehearsal/catalog/failover';
import { LONG_DRILL_TIMEOUT_MS, runNamedDrill } from '../run-named-drill';

test(
  'failover: fallbacks answer during an outage of the primary, which is used again afterwards',
  async () => {
    const report = await runNamedDrill('failover');
    expect(JSON.stringify(report)).not.toContain(FAILOVER_KEY);
    const detail = report.invariants.find(({ name }) => name === 'fallbacks-recorded')?.detail;
    expect(detail).toMatch(/^[1-9]\d* of [1-9]\d* answers of fallbacks$/);
  },
  LONG_DRILL_TIMEOUT_MS,
);
