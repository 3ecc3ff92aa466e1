import { LANES, type LaneName, type TaskRecord } from '../../../lib/contract';
import type { Clock } from '../../shared/clock';
import { describeError } from '../../shared/errors';
import type { AuditTrail } from '../../shared/routing/audit-trail';
import { chooseLane } from '../../shared/routing/decision';
import type { RoutingRepository, RoutingState } from '../../shared/routing/routing-repository';
import { TaskUnreadableError } from '../../shared/tasks/task-item';
import type { TaskQueues } from '../../shared/tasks/task-queues';
import type { TaskRepository } from '../../shared/tasks/task-repository';
import type { Log } from '../../shared/telemetry/logger';
import { traceHeaderOf } from '../../shared/telemetry/trace-header';
import type { DeadLetter, DeadLetters } from './dead-letters';
import { entryOf, envelopeIn, type Found, fits, lanesOf } from './examine';
import type { DeadEntry, RedriveAnswer, RedriveRequest } from './protocol';

/** An answer of a function may have 6 MB, quotes and all. */
const ANSWER_BYTES = 4 * 1024 * 1024;

export interface TaskRedriverDeps {
  readonly agent: string;
  readonly letters: Pick<DeadLetters, 'read' | 'delete' | 'release' | 'hidden'>;
  readonly tasks: Pick<TaskRepository, 'get' | 'redrive' | 'restoreAttempts'>;
  /** Days that a finished task is kept. */
  readonly retentionDays: number;
  readonly queues: Pick<TaskQueues, 'send'>;
  readonly routing: Pick<RoutingRepository, 'readRouting'>;
  readonly audit: Pick<AuditTrail, 'append'>;
  readonly clock: Clock;
  readonly logger: Log;
  /** Whether the invocation has to come to its end. */
  readonly isOver: () => boolean;
  /** Of the invocation. */
  readonly requestId: string;
}

/**
 * One invocation: reads the dead-letter queues, and redrives the tasks that the filter selects.
 *
 * Life cycle of a message that is redriven: the record returns to queued, then the task is sent to its lane's queue,
 * then the message leaves the dead-letter queue. Whatever ends the function in between, the message is still there, and
 * the next call continues where this one ended: a task that is queued already is sent (again), which its lease makes
 * harmless. So no task is lost, and no task without a record is redriven.
 *
 * All that was read stays hidden until the end of the call, so that it is read once; then what is left is released. When
 * there is more than one call can read, it stays hidden for a few minutes, so that the next call reads the rest.
 */
export class TaskRedriver {
  readonly #request: RedriveRequest;
  readonly #deps: TaskRedriverDeps;
  readonly #entries: DeadEntry[] = [];
  /** Messages that have not gone. */
  readonly #held: DeadLetter[] = [];
  /** Entries of the tasks that were met, by id. */
  readonly #met = new Map<string, DeadEntry>();
  #bytes = 0;
  #read = 0;
  #duplicates = 0;
  #duplicatesRemoved = 0;

  constructor(request: RedriveRequest, deps: TaskRedriverDeps) {
    this.#request = request;
    this.#deps = deps;
  }

  async run(): Promise<RedriveAnswer> {
    let more = false;
    let done = false;
    try {
      for (const lane of lanesOf(this.#request.filter, LANES)) {
        more = (await this.#readLane(lane)) || more;
      }
      done = true;
    } finally {
      if (!more || !done) {
        await this.#release();
      }
      await this.#audit();
    }
    return await this.#answer(more);
  }

  /** @returns whether there may be more than was read, for want of time or room */
  async #readLane(lane: LaneName): Promise<boolean> {
    while (!this.#isFull()) {
      if (this.#deps.isOver() || this.#bytes > ANSWER_BYTES) {
        return true;
      }
      const letters = await this.#deps.letters.read(lane);
      if (letters.length === 0) {
        return false;
      }
      this.#read += letters.length;
      await this.#handle(letters);
    }
    return false;
  }

  #isFull(): boolean {
    return this.#entries.length >= (this.#request.filter.limit ?? Number.POSITIVE_INFINITY);
  }

  async #handle(letters: readonly DeadLetter[]): Promise<void> {
    const { clock } = this.#deps;
    const found = await Promise.all(letters.map((letter) => this.#look(letter))).catch((error: unknown) => {
      this.#held.push(...letters);
      throw error;
    });
    const meant: Found[] = [];
    const copies: Found[] = [];
    const inBatch = new Set<string>();
    for (const one of found) {
      const id = one.envelope?.taskId;
      if (id !== undefined && (this.#met.has(id) || inBatch.has(id))) {
        copies.push(one);
      } else if (fits(one, this.#request.filter, clock.now()) && !this.#isFullWith(meant.length)) {
        meant.push(one);
        if (id !== undefined) {
          inBatch.add(id);
        }
      } else {
        this.#held.push(one.letter);
      }
    }
    await this.#handleMeant(meant);
    for (const { letter, envelope } of copies) {
      await this.#handleCopy(letter, envelope?.taskId ?? '');
    }
  }

  /** @throws when the records cannot be read for now */
  async #look(letter: DeadLetter): Promise<Found> {
    const { agent, logger, tasks } = this.#deps;
    const envelope = envelopeIn(letter.body, agent);
    if (envelope === undefined) {
      return { letter };
    }
    try {
      const task = await tasks.get(envelope.taskId);
      return { letter, envelope, task };
    } catch (error) {
      if (!(error instanceof TaskUnreadableError)) {
        throw error;
      }
      logger.error('the record of a task cannot be read', { task: envelope.taskId, error: error as Error });
      return { letter, envelope, unreadable: describeError(error) };
    }
  }

  #isFullWith(further: number): boolean {
    return this.#entries.length + further >= (this.#request.filter.limit ?? Number.POSITIVE_INFINITY);
  }

  async #handleMeant(meant: readonly Found[]): Promise<void> {
    const { clock, routing } = this.#deps;
    const acts = this.#request.action === 'redrive' && !this.#request.dryRun;
    let state: RoutingState | undefined;
    try {
      // Read for each batch: a valve that opens meanwhile applies to the tasks that are redriven after it.
      state = acts && meant.length > 0 ? await routing.readRouting() : undefined;
    } catch (error) {
      this.#held.push(...meant.map(({ letter }) => letter));
      throw error;
    }
    const entries = await Promise.all(
      meant.map(async (found) => {
        const entry = entryOf(found, clock.now());
        return acts ? await this.#act(found, entry, state) : entry;
      }),
    );
    for (const [index, entry] of entries.entries()) {
      const letter = meant[index]?.letter;
      if (!entry.done && letter !== undefined) {
        this.#held.push(letter);
      }
      if (entry.task !== undefined) {
        this.#met.set(entry.task, entry);
      }
      this.#entries.push(entry);
      this.#bytes += Buffer.byteLength(JSON.stringify(JSON.stringify(entry)));
    }
  }

  /** Brings the entry's fate about. Does not reject. */
  async #act(found: Found, entry: DeadEntry, state: RoutingState | undefined): Promise<DeadEntry> {
    const { letters, logger } = this.#deps;
    const { letter, task } = found;
    const line = { task: entry.task, lane: entry.lane, fate: entry.fate };
    try {
      if (entry.fate === 'leave') {
        return entry;
      }
      const sentTo = entry.fate === 'redrive' && task !== undefined ? await this.#redriveTask(task, state) : undefined;
      if (entry.fate === 'redrive' && sentTo === undefined) {
        logger.warn('a task changed while it was redriven', line);
        return { ...entry, problem: 'the task changed meanwhile: ask again' };
      }
      await letters.delete(letter);
      logger.info('dead task dealt with', { ...line, ...(sentTo === undefined ? {} : { sentTo }) });
      return { ...entry, done: true, ...(sentTo === undefined ? {} : { sentTo }) };
    } catch (error) {
      logger.error('a dead task could not be dealt with: its message stays', { ...line, error: error as Error });
      return { ...entry, problem: describeError(error) };
    }
  }

  /** @returns the lane that the task was sent to; undefined if it has ended otherwise meanwhile */
  async #redriveTask(read: TaskRecord, state: RoutingState | undefined): Promise<LaneName | undefined> {
    const { agent, clock, queues, retentionDays, tasks } = this.#deps;
    let task = read;
    if (task.status === 'failed') {
      const { lane } = chooseLane(state, clock.now(), agent, task.user);
      if (await tasks.redrive(task, { lane, now: clock.now(), retentionDays })) {
        task = { ...task, status: 'queued', lane };
      } else {
        // Another call was faster, or this one's first try had arrived and its answer was lost.
        const now = await tasks.get(task.id);
        if (now === undefined || (now.status !== 'queued' && now.status !== 'running')) {
          return undefined;
        }
        task = now;
      }
    } else {
      await tasks.restoreAttempts(task, { now: clock.now(), retentionDays });
    }
    await queues.send(task, traceHeaderOf(task.trace));
    return task.lane;
  }

  /** A further message of a task: goes where the first one went, and is not sent again. */
  async #handleCopy(letter: DeadLetter, taskId: string): Promise<void> {
    this.#duplicates += 1;
    if (this.#met.get(taskId)?.done !== true) {
      this.#held.push(letter);
      return;
    }
    try {
      await this.#deps.letters.delete(letter);
      this.#duplicatesRemoved += 1;
    } catch (error) {
      this.#held.push(letter);
      this.#deps.logger.warn('a further message of a task could not be removed', {
        task: taskId,
        reason: describeError(error),
      });
    }
  }

  async #release(): Promise<void> {
    try {
      await this.#deps.letters.release(this.#held, this.#deps.isOver);
    } catch (error) {
      this.#deps.logger.warn('messages could not be made visible: they become so by themselves', {
        messages: this.#held.length,
        reason: describeError(error),
      });
    }
  }

  #counts(): Pick<RedriveAnswer['totals'], 'redriven' | 'removed' | 'failed'> {
    const count = (fits: (entry: DeadEntry) => boolean) => this.#entries.filter(fits).length;
    return {
      redriven: count(({ done, fate }) => done && fate === 'redrive'),
      removed: count(({ done, fate }) => done && fate === 'remove'),
      failed: count(({ problem }) => problem !== undefined),
    };
  }

  /** Records the changes in the audit trail, also when the call was interrupted. */
  async #audit(): Promise<void> {
    const { audit, clock, requestId } = this.#deps;
    const { by, filter } = this.#request;
    const { redriven, removed, failed } = this.#counts();
    if (redriven + removed + this.#duplicatesRemoved === 0) {
      return;
    }
    await audit.append({
      at: clock.now(),
      id: requestId,
      action: 'task_redriven',
      actor: `${by ?? 'unnamed caller'}, by invocation ${requestId} of the redrive function`,
      reason: `${redriven} tasks redriven from the dead-letter queues, ${removed} obsolete messages removed`,
      details: {
        redriven,
        removed,
        failed,
        filter: JSON.parse(JSON.stringify(filter)),
      },
    });
  }

  async #answer(more: boolean): Promise<RedriveAnswer> {
    const hidden = await Promise.all(
      lanesOf(this.#request.filter, LANES).map((lane) => this.#deps.letters.hidden(lane)),
    );
    const totals = {
      read: this.#read,
      duplicates: this.#duplicates,
      ...this.#counts(),
      hidden: hidden.reduce((sum, one) => sum + one, 0),
    };
    this.#deps.logger.info('dead-letter queues read', { action: this.#request.action, ...totals, more });
    return { entries: this.#entries, totals, more };
  }
}
