import type { RehearsalClock, Timer } from '../../core/clock';
import type { MetricsPort } from '../../core/ports';
import type { Queues } from './queues';

const MINUTE = 60_000;

/** Milliseconds into a cloud minute: late, so that little of the minute is missing, and safely before it ends. */
const REPORT_AT = 50_000;

/**
 * Publishes AWS/SQS metrics once in every cloud minute for every queue, zeros included. SQS stops for queues that were
 * idle for six hours; this does not.
 *
 * @see https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
 */
export class QueueMetrics {
  readonly #clock: RehearsalClock;
  readonly #queues: Queues;
  readonly #metrics: MetricsPort;
  #timer: Timer | undefined;

  constructor(clock: RehearsalClock, queues: Queues, metrics: MetricsPort) {
    this.#clock = clock;
    this.#queues = queues;
    this.#metrics = metrics;
    this.#plan();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #plan(): void {
    const intoMinute = this.#clock.now() % MINUTE;
    const wait = intoMinute < REPORT_AT ? REPORT_AT - intoMinute : REPORT_AT + MINUTE - intoMinute;
    this.#timer = this.#clock.after(wait, () => {
      for (const queue of this.#queues.all()) {
        queue.expire();
        this.#report(queue);
      }
      this.#plan();
    });
  }

  #report(queue: Parameters<Queues['urlOf']>[0]): void {
    const sizes = queue.sizes();
    const counts = queue.drainCounts();
    const put = (name: string, value: number, unit: string) =>
      this.#metrics.put('AWS/SQS', name, { QueueName: queue.name }, [value], unit);
    put('ApproximateNumberOfMessagesVisible', sizes.visible, 'Count');
    put('ApproximateNumberOfMessagesNotVisible', sizes.notVisible, 'Count');
    put('ApproximateNumberOfMessagesDelayed', sizes.delayed, 'Count');
    put('ApproximateAgeOfOldestMessage', Math.floor(queue.ageOfOldest() / 1000), 'Seconds');
    put('NumberOfMessagesSent', counts.sent, 'Count');
    put('NumberOfMessagesReceived', counts.received, 'Count');
    put('NumberOfMessagesDeleted', counts.deleted, 'Count');
    put('NumberOfEmptyReceives', counts.emptyReceives, 'Count');
    if (counts.sent > 0) {
      put('SentMessageSize', counts.sentBytes / counts.sent, 'Bytes');
    }
  }
}
