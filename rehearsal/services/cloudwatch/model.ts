import type { RehearsalClock } from '../../core/clock';
import type { AlarmView, MetricDimensions, MetricsPort, ScalingPort, SnsPort } from '../../core/ports';
import { type AlarmChange, Alarms } from './alarms';
import { readEmbeddedLine } from './embedded-metrics';
import { MetricStore } from './metric-store';

/** CloudWatch refuses data points older than two weeks or more than two hours ahead. */
const MAX_AGE_MS = 14 * 86_400_000;
const MAX_AHEAD_MS = 2 * 3_600_000;

export interface CloudWatchDeps {
  readonly clock: RehearsalClock;
  /** Receives alarm actions on topics. */
  readonly sns: SnsPort;
  /** Receives alarm actions on scaling policies. @default - nothing is scaled */
  readonly scaling?: ScalingPort;
  readonly onAlarm?: (change: AlarmChange) => void;
  /** Called for every action, with the reason if the topic refused it. */
  readonly onAction?: (action: AlarmAction) => void;
}

export interface AlarmAction {
  readonly topicArn: string;
  readonly subject: string;
  readonly message: string;
  readonly failure?: string;
}

/**
 * Metrics and alarms, with what goes into them in process: the services' own metrics and the log lines.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/Welcome.html
 */
export class CloudWatchState implements MetricsPort {
  readonly clock: RehearsalClock;
  readonly store: MetricStore;
  readonly alarmList: Alarms;
  readonly #malformed: { count: number; examples: string[] } = { count: 0, examples: [] };

  constructor(deps: CloudWatchDeps) {
    this.clock = deps.clock;
    this.store = new MetricStore();
    this.alarmList = new Alarms({
      clock: deps.clock,
      store: this.store,
      onChange: (change) => {
        deps.onAlarm?.(change);
        for (const topicArn of change.actions) {
          const action = { topicArn, subject: `${change.to}: "${change.name}"`, message: alarmMessage(change) };
          const outcome = publish(deps.sns, action, change.arn);
          deps.onAction?.({ ...action, ...outcome });
        }
      },
      isRepeated: (action) => deps.scaling?.owns(action) === true,
      onRepeat: ({ name, action, value, threshold }) => {
        try {
          deps.scaling?.invoke(action, { alarm: name, value, threshold });
        } catch (error) {
          const failure = error instanceof Error ? error.message : String(error);
          deps.onAction?.({ topicArn: action, subject: `scaling by "${name}"`, message: '', failure });
        }
      },
    });
  }

  put(namespace: string, name: string, dimensions: MetricDimensions, values: readonly number[], unit?: string): void {
    this.store.put({ namespace, name, dimensions }, this.clock.now(), values, unit);
  }

  ingestLogLine(line: string): void {
    const read = readEmbeddedLine(line);
    if (read.kind === 'other') {
      return;
    }
    if (read.kind === 'malformed') {
      this.#countMalformed(line, read.reason);
      return;
    }
    const now = this.clock.now();
    const at = read.timestamp ?? now;
    if (at < now - MAX_AGE_MS || at > now + MAX_AHEAD_MS) {
      this.#countMalformed(
        line,
        `Timestamp ${at} is not within two weeks before and two hours after the cloud's time ${Math.round(now)} (milliseconds since 1970)`,
      );
      return;
    }
    for (const metric of read.metrics) {
      this.store.put(metric, at, metric.values, metric.unit);
    }
  }

  alarm(nameOrArn: string): AlarmView | undefined {
    return this.alarmList.view(nameOrArn);
  }

  alarms(): readonly AlarmView[] {
    return this.alarmList.views();
  }

  /** Log lines that look like the embedded metric format and are not valid. */
  malformedLines(): { readonly count: number; readonly examples: readonly string[] } {
    return { count: this.#malformed.count, examples: [...this.#malformed.examples] };
  }

  stop(): void {
    this.alarmList.stop();
  }

  #countMalformed(line: string, reason: string): void {
    this.#malformed.count++;
    if (this.#malformed.examples.length < 10) {
      this.#malformed.examples.push(`${reason}: ${line.slice(0, 300)}`);
    }
  }
}

/** A failed action does not change the alarm: CloudWatch records the failure. */
function publish(
  sns: SnsPort,
  { topicArn, subject, message }: AlarmAction,
  alarmArn: string,
): { readonly failure?: string } {
  try {
    sns.publish(topicArn, subject, message, { service: 'cloudwatch.amazonaws.com', sourceArn: alarmArn });
    return {};
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}

function alarmMessage(change: AlarmChange): string {
  return JSON.stringify({
    AlarmName: change.name,
    AlarmDescription: change.description,
    AlarmArn: change.arn,
    NewStateValue: change.to,
    OldStateValue: change.from,
    NewStateReason: change.reason,
    StateChangeTime: new Date(change.at).toISOString(),
  });
}
