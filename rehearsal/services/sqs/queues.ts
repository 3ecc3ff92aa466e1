import type { RehearsalClock } from '../../core/clock';
import { REHEARSAL_ACCOUNT } from '../../core/resource';
import { ServiceError } from '../../core/service';
import { queueNameOfArn, queueNameOfUrl } from './model';
import { Queue, type QueueSettings } from './queue';

/** All queues of the account. */
export class Queues {
  readonly #clock: RehearsalClock;
  readonly #endpointUrl: () => string;
  readonly #byName = new Map<string, Queue>();

  constructor(clock: RehearsalClock, endpointUrl: () => string) {
    this.#clock = clock;
    this.#endpointUrl = endpointUrl;
  }

  all(): IterableIterator<Queue> {
    return this.#byName.values();
  }

  create(name: string, settings: QueueSettings): Queue {
    const queue = new Queue(name, settings, this.#clock, (arn) => this.byArn(arn));
    this.#byName.set(name, queue);
    return queue;
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  delete(name: string): void {
    this.#byName.get(name)?.close();
    this.#byName.delete(name);
  }

  urlOf(queue: Queue): string {
    return `${this.#endpointUrl()}/${REHEARSAL_ACCOUNT}/${queue.name}`;
  }

  byArn(arn: string): Queue | undefined {
    const name = queueNameOfArn(arn);
    return name === undefined ? undefined : this.#byName.get(name);
  }

  /** @throws ServiceError QueueDoesNotExist */
  named(name: string): Queue {
    const queue = this.#byName.get(name);
    if (queue === undefined) {
      throw new ServiceError('QueueDoesNotExist', 'The specified queue does not exist.');
    }
    return queue;
  }

  /** @throws ServiceError InvalidAddress, QueueDoesNotExist */
  atUrl(url: string): Queue {
    const name = queueNameOfUrl(url);
    if (name === undefined) {
      throw new ServiceError('InvalidAddress', `The address ${url} is not valid for this endpoint.`, 404);
    }
    return this.named(name);
  }

  /** Queues whose redrive policy names this one. */
  sourcesOf(deadLetterQueue: Queue): readonly Queue[] {
    return [...this.#byName.values()].filter(
      (queue) => queue.settings.redrive?.deadLetterTargetArn === deadLetterQueue.arn,
    );
  }
}
