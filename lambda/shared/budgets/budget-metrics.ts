import { BudgetMetric, Dimension } from '../../../lib/contract';
import type { Clock } from '../clock';
import { emitMetrics, type MetricSink, type MetricValue } from '../telemetry/emf';
import type { UsedShares } from './budget-book';

/** Tells how much of the budgets is used, and what was turned away for them. */
export class BudgetMetrics {
  /** @param sink @default standard output */
  constructor(
    private readonly agent: string,
    private readonly clock: Clock,
    private readonly sink?: MetricSink,
  ) {}

  used({ agent, user }: UsedShares): void {
    this.#emit([
      ...(agent === undefined ? [] : [{ name: BudgetMetric.AGENT_USED, value: agent, unit: 'Percent' } as const]),
      ...(user === undefined ? [] : [{ name: BudgetMetric.USER_USED, value: user, unit: 'Percent' } as const]),
    ]);
  }

  /** A request was refused, or a task kept waiting. */
  exceeded(): void {
    this.#emit([{ name: BudgetMetric.EXCEEDED, value: 1, unit: 'Count' }]);
  }

  #emit(metrics: readonly MetricValue[]): void {
    if (metrics.length > 0) {
      const dimensions = { [Dimension.AGENT]: this.agent };
      emitMetrics({ timestamp: this.clock.now(), dimensions, dimensionSets: [[Dimension.AGENT]], metrics }, this.sink);
    }
  }
}
