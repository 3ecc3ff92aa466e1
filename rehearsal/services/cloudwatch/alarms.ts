import type { RehearsalClock, Timer } from '../../core/clock';
import type { AlarmView } from '../../core/ports';
import type { AlarmDefinition, Comparison } from './alarm-definition';
import { type AlarmState, evaluateState, evaluationRange } from './alarm-evaluation';
import type { Series } from './math-evaluator';
import { idsOf, MathError } from './math-parser';
import { evaluateQuery, type Grid, type MetricQuery } from './metric-query';
import type { MetricStore } from './metric-store';
import { samplesForPercentile } from './statistics';

/** Cloud milliseconds between two evaluations: CloudWatch evaluates again when late data arrives. */
const EVALUATION_INTERVAL_MS = 10_000;

/** Periods of a minute and more end on whole minutes, shorter ones on whole ten seconds. */
const ALIGNMENT_MS = 60_000;

export interface AlarmChange {
  readonly name: string;
  readonly arn: string;
  readonly description: string;
  readonly from: AlarmState;
  readonly to: AlarmState;
  readonly reason: string;
  readonly value: number | undefined;
  readonly threshold: number;
  /** Cloud milliseconds since 1970. */
  readonly at: number;
  /** Actions to run once; empty if actions are disabled. */
  readonly actions: readonly string[];
}

/** An action that is repeated for as long as the alarm stays in its state. */
export interface RepeatedAction {
  readonly name: string;
  readonly arn: string;
  readonly action: string;
  /** Newest data point. */
  readonly value: number;
  readonly threshold: number;
}

/**
 * Cloud milliseconds between two invocations of a scaling policy.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
 */
const REPEAT_MS = 60_000;

interface Alarm {
  definition: AlarmDefinition;
  readonly arn: string;
  state: AlarmState;
  reason: string;
  stateChangedAt: number;
  value: number | undefined;
  /** When its repeated actions were invoked last. */
  repeatedAt: number;
}

export interface AlarmsDeps {
  readonly clock: RehearsalClock;
  readonly store: MetricStore;
  readonly onChange: (change: AlarmChange) => void;
  /** Whether an action is repeated while the alarm stays in its state. @default - no action is repeated */
  readonly isRepeated?: (action: string) => boolean;
  readonly onRepeat?: (action: RepeatedAction) => void;
}

/** All alarms, evaluated every ten seconds of cloud time. */
export class Alarms {
  readonly #options: AlarmsDeps;
  readonly #alarms = new Map<string, Alarm>();
  #timer: Timer | undefined;

  constructor(options: AlarmsDeps) {
    this.#options = options;
  }

  /** A new alarm starts with INSUFFICIENT_DATA; an existing one keeps its state until the next evaluation. */
  put(definition: AlarmDefinition, arn: string): void {
    const known = this.#alarms.get(definition.name);
    if (known === undefined) {
      this.#alarms.set(definition.name, {
        definition,
        arn,
        state: 'INSUFFICIENT_DATA',
        reason: 'Unchecked: Initial alarm creation',
        stateChangedAt: this.#options.clock.now(),
        value: undefined,
        repeatedAt: Number.NEGATIVE_INFINITY,
      });
    } else {
      if (JSON.stringify(known.definition.queries) !== JSON.stringify(definition.queries)) {
        known.value = undefined;
      }
      known.definition = definition;
    }
    this.#schedule();
  }

  has(name: string): boolean {
    return this.#alarms.has(name);
  }

  remove(name: string): void {
    this.#alarms.delete(name);
  }

  views(): readonly AlarmView[] {
    return [...this.#alarms.values()].map((alarm) => this.#viewOf(alarm));
  }

  view(nameOrArn: string): AlarmView | undefined {
    const alarm =
      this.#alarms.get(nameOrArn) ?? [...this.#alarms.values()].find((candidate) => candidate.arn === nameOrArn);
    return alarm === undefined ? undefined : this.#viewOf(alarm);
  }

  definition(name: string): AlarmDefinition | undefined {
    return this.#alarms.get(name)?.definition;
  }

  stateChangedAt(name: string): number | undefined {
    return this.#alarms.get(name)?.stateChangedAt;
  }

  /** Evaluates every alarm now. */
  evaluate(): void {
    for (const alarm of this.#alarms.values()) {
      this.#evaluateAlarm(alarm);
    }
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#alarms.clear();
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#alarms.size === 0) {
      return;
    }
    const now = this.#options.clock.now();
    const next = (Math.floor(now / EVALUATION_INTERVAL_MS) + 1) * EVALUATION_INTERVAL_MS;
    this.#timer = this.#options.clock.after(next - now, () => {
      this.#timer = undefined;
      this.evaluate();
      this.#schedule();
    });
  }

  #evaluateAlarm(alarm: Alarm): void {
    const { definition } = alarm;
    const now = this.#options.clock.now();
    const alignment = Math.min(definition.periodMs, ALIGNMENT_MS);
    const slots = evaluationRange(definition.evaluationPeriods);
    const end = Math.floor(now / alignment) * alignment;
    const grid: Grid = { start: end - slots * definition.periodMs, periodMs: definition.periodMs, slots };
    let series: Series;
    try {
      series = evaluateQuery(this.#options.store, definition.queries, definition.watched, grid);
    } catch (error) {
      if (error instanceof MathError) {
        this.#changeState(alarm, 'INSUFFICIENT_DATA', error.message);
        return;
      }
      throw error;
    }
    const points = series.filter((value) => value !== undefined);
    alarm.value = points.at(-1) ?? alarm.value;
    if (definition.ignoreLowSamples && this.#tooFewSamples(definition, grid)) {
      return;
    }
    const verdict = evaluateState(
      definition,
      series.map((value) =>
        value === undefined ? undefined : breaches(definition.comparison, value, definition.threshold),
      ),
    );
    if (verdict !== 'retain') {
      this.#changeState(alarm, verdict, reasonOf(definition, series));
    }
    this.#repeat(alarm, points.at(-1));
  }

  /**
   * Scaling policies are invoked at the change of the state and then every minute. Which data
   * point they get is not documented; here it is the newest one.
   */
  #repeat(alarm: Alarm, value: number | undefined): void {
    const { clock, isRepeated = () => false, onRepeat } = this.#options;
    const { definition, state, arn } = alarm;
    const now = clock.now();
    const actions = definition.actionsEnabled ? definition.actions[state].filter(isRepeated) : [];
    if (actions.length === 0 || value === undefined || now < alarm.repeatedAt + REPEAT_MS) {
      return;
    }
    alarm.repeatedAt = now;
    for (const action of actions) {
      onRepeat?.({ name: definition.name, arn, action, value, threshold: definition.threshold });
    }
  }

  /** AWS leaves the state as it is while a percentile has too few samples and the alarm says `ignore`. */
  #tooFewSamples(definition: AlarmDefinition, grid: Grid): boolean {
    return definition.queries.some(
      (query) =>
        query.kind === 'metric' &&
        query.statistic.kind === 'percentile' &&
        this.#options.store.values(query.metric, grid.start, grid.start + grid.slots * grid.periodMs, query.unit)
          .length < samplesForPercentile(query.statistic.percent),
    );
  }

  #changeState(alarm: Alarm, to: AlarmState, reason: string): void {
    const from = alarm.state;
    if (from === to) {
      return;
    }
    alarm.state = to;
    alarm.repeatedAt = Number.NEGATIVE_INFINITY;
    alarm.reason = reason;
    alarm.stateChangedAt = this.#options.clock.now();
    const { definition } = alarm;
    this.#options.onChange({
      name: definition.name,
      arn: alarm.arn,
      description: definition.description,
      from,
      to,
      reason,
      value: alarm.value,
      threshold: definition.threshold,
      at: alarm.stateChangedAt,
      actions: definition.actionsEnabled
        ? definition.actions[to].filter((action) => this.#options.isRepeated?.(action) !== true)
        : [],
    });
  }

  #viewOf(alarm: Alarm): AlarmView {
    const { definition } = alarm;
    const metricsWithoutData = metricsBehind(definition.queries, definition.watched)
      .filter((query) => !this.#options.store.hasReceived(query.metric))
      .map(({ metric }) => metric.dimensions);
    return {
      name: definition.name,
      arn: alarm.arn,
      state: alarm.state,
      reason: alarm.reason,
      threshold: definition.threshold,
      value: alarm.value,
      hadData: metricsWithoutData.length === 0,
      metricsWithoutData,
    };
  }
}

function metricsBehind(
  queries: readonly MetricQuery[],
  id: string,
): readonly Extract<MetricQuery, { kind: 'metric' }>[] {
  const query = queries.find((candidate) => candidate.id === id);
  if (query === undefined) {
    return [];
  }
  return query.kind === 'metric' ? [query] : idsOf(query.math).flatMap((used) => metricsBehind(queries, used));
}

function breaches(comparison: Comparison, value: number, threshold: number): boolean {
  switch (comparison) {
    case 'GreaterThanOrEqualToThreshold':
      return value >= threshold;
    case 'GreaterThanThreshold':
      return value > threshold;
    case 'LessThanThreshold':
      return value < threshold;
    case 'LessThanOrEqualToThreshold':
      return value <= threshold;
  }
}

function reasonOf(definition: AlarmDefinition, series: Series): string {
  const points = series.filter((value) => value !== undefined).slice(-definition.evaluationPeriods);
  if (points.length === 0) {
    return `no data points in the last ${series.length} periods of ${definition.periodMs / 1000} s; missing data is treated as ${definition.treatMissingData}`;
  }
  const breaching = points.filter((value) => breaches(definition.comparison, value, definition.threshold)).length;
  const missing = Math.max(0, definition.evaluationPeriods - points.length);
  return (
    `${breaching} of ${points.length} data points [${points.map(formatNumber).join(', ')}] ` +
    `${definition.comparison} ${formatNumber(definition.threshold)}; ` +
    `${definition.datapointsToAlarm} of ${definition.evaluationPeriods} are needed for ALARM` +
    (missing === 0 ? '' : `; ${missing} missing, treated as ${definition.treatMissingData}`)
  );
}

function formatNumber(value: number): string {
  return String(Number(value.toPrecision(6)));
}
