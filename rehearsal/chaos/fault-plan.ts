import type { RehearsalClock } from '../core/clock';
import { type DeliveryFault, type FaultsPort, type ProcessFault, ResponseLost, type TaskFault } from '../core/faults';
import type { Call } from '../core/service';
import type { FaultKind, FaultRates } from './fault-rates';
import { SeededDraws } from './seeded-draws';
import { internalError, throttlingError } from './service-errors';

/** Targets and rates of the faults. */
export interface FaultSettings {
  readonly rates: FaultRates;
  /** Names of the functions and ECS services into whose calls and deliveries faults are injected. */
  readonly functions: ReadonlySet<string>;
  /** Subset of these whose processes are killed and frozen, and whose tasks are stopped. */
  readonly workers: ReadonlySet<string>;
  /** Duration of a lease in cloud milliseconds: freezes and held heartbeats last longer. */
  readonly leaseMs: number;
  /** Whether a call renews a lease. */
  readonly isHeartbeat: (service: string, call: Call) => boolean;
  /** Whether no fault is injected into the work on this event or message. @default - none is exempt */
  readonly isExempt?: (event: string) => boolean;
}

export interface FaultReport {
  readonly injected: number;
  readonly byKind: Readonly<Partial<Record<FaultKind, number>>>;
  /** Kind → target (`dynamodb.UpdateItem`, a function) → number of faults. */
  readonly byTarget: Readonly<Partial<Record<FaultKind, Readonly<Record<string, number>>>>>;
}

/** Time in which the process of this event was frozen. Real milliseconds since 1970. */
export interface FreezeWindow {
  readonly event: string;
  readonly from: number;
  readonly to: number;
}

/** Maximum number of consecutive throttled calls: more than the attempts of a client. */
const MAX_THROTTLED_CALLS = 6;

/** Cloud milliseconds. */
const MAX_DELAY_MS = 10_000;

/** Maximum real milliseconds that an unanswered call stays open, if its client has no timeout. */
const MAX_SILENCE_MS = 30_000;

/** Duration of a freeze or a held heartbeat, as a multiple of the lease. */
const LEASE_MULTIPLES = { from: 1.1, to: 1.6 } as const;

/**
 * Maximum real milliseconds from the start of an invocation, or from the receipt of a message by a task, to a process fault.
 * Most faults come early: few invocations take that long.
 */
const MAX_FAULT_DELAY_MS = 2_000;

/**
 * Decides from one seed which faults are injected; see {@link SeededDraws} for what repeats. None are injected before
 * {@link begin} and after {@link end}.
 */
export class FaultPlan implements FaultsPort {
  readonly #clock: RehearsalClock;
  readonly #draws: SeededDraws;
  readonly #counted = new Map<FaultKind, Map<string, number>>();
  /** Place → calls that will be throttled there because one was. */
  readonly #throttledCallsLeft = new Map<string, number>();
  readonly #freezeWindows: FreezeWindow[] = [];
  #settings: FaultSettings | undefined;

  constructor(clock: RehearsalClock, seed: number) {
    this.#clock = clock;
    this.#draws = new SeededDraws(seed);
  }

  begin(settings: FaultSettings): void {
    this.#settings = settings;
  }

  end(): void {
    this.#settings = undefined;
    this.#throttledCallsLeft.clear();
  }

  report(): FaultReport {
    const byTarget = Object.fromEntries(
      [...this.#counted].map(([kind, targets]) => [kind, Object.fromEntries([...targets].sort((a, b) => b[1] - a[1]))]),
    );
    const byKind = Object.fromEntries(
      [...this.#counted].map(([kind, targets]) => [kind, [...targets.values()].reduce((sum, count) => sum + count, 0)]),
    );
    return { injected: Object.values(byKind).reduce((sum, count) => sum + count, 0), byKind, byTarget };
  }

  async aroundCall<T>(service: string, call: Call, run: () => Promise<T>): Promise<T> {
    const settings = this.#settings;
    const { label, kind } = call.principal;
    if (settings === undefined || kind !== 'role' || !settings.functions.has(label)) {
      return run();
    }
    const heartbeat = settings.isHeartbeat(service, call);
    const target = `${service}.${call.operation}`;
    const place = `${heartbeat ? 'heartbeat' : target} by ${stableName(label)}`;
    // All are drawn for every call, so that the n-th call at a place gets the same draw whatever happened to the ones before.
    const held = this.#occurs('heartbeatsHeld', place);
    const throttling = this.#isThrottled(place);
    const delayed = this.#occurs('delayed', place);
    const failing = this.#occurs('failed', place);
    const answerLost = this.#occurs('answersLost', place);
    const unanswered = this.#occurs('unanswered', place);
    if (heartbeat && held) {
      this.#count('heartbeatsHeld', target);
      await this.#clock.sleep(
        settings.leaseMs * this.#draws.between(`held ${place}`, LEASE_MULTIPLES.from, LEASE_MULTIPLES.to),
      );
      return run();
    }
    if (throttling) {
      this.#count('throttled', target);
      throw throttlingError(service, this.#draws.draw(`code ${place}`));
    }
    if (delayed) {
      this.#count('delayed', target);
      await this.#clock.sleep(this.#draws.between(`delay ${place}`, 0, MAX_DELAY_MS));
    }
    if (failing) {
      this.#count('failed', target);
      if (this.#draws.draw(`applied ${place}`) < 0.5) {
        await run();
      }
      throw internalError(service);
    }
    if (unanswered) {
      this.#count('unanswered', target);
      if (this.#draws.draw(`unanswered, applied ${place}`) < 0.5) {
        await run();
      }
      await waitForDisconnect(call.signal);
      throw new ResponseLost(`rehearsed fault: ${target} got no answer`);
    }
    const result = await run();
    if (answerLost) {
      this.#count('answersLost', target);
      throw new ResponseLost(`rehearsed fault: the answer to ${target} was lost`);
    }
    return result;
  }

  deliveryFault(functionName: string): DeliveryFault | undefined {
    if (!this.#settings?.functions.has(functionName)) {
      return undefined;
    }
    const name = stableName(functionName);
    const dropped = this.#occurs('deliveriesDropped', name);
    const duplicated = this.#occurs('deliveriesDuplicated', name);
    if (dropped) {
      this.#count('deliveriesDropped', name);
      return 'dropped';
    }
    if (duplicated) {
      this.#count('deliveriesDuplicated', name);
      return 'duplicated';
    }
    return undefined;
  }

  processFault(functionName: string, event: string): ProcessFault | undefined {
    const settings = this.#settings;
    if (!settings?.workers.has(functionName) || this.isExempt(event)) {
      return undefined;
    }
    return this.#drawProcessFault(stableName(functionName), settings);
  }

  taskFault(service: string, message: string): TaskFault | undefined {
    const settings = this.#settings;
    if (!settings?.workers.has(service) || this.isExempt(message)) {
      return undefined;
    }
    const name = stableName(service);
    const stopped = this.#occurs('workersStopped', name);
    const afterMs = MAX_FAULT_DELAY_MS * this.#draws.draw(`${name} stopped after`) ** 3;
    return this.#drawProcessFault(name, settings) ?? (stopped ? { kind: 'stopped', afterMs } : undefined);
  }

  isExempt(event: string): boolean {
    return this.#settings?.isExempt?.(event) === true;
  }

  #drawProcessFault(name: string, { leaseMs }: FaultSettings): ProcessFault | undefined {
    const clock = this.#clock;
    const killed = this.#occurs('workersKilled', name);
    const frozen = this.#occurs('workersFrozen', name);
    const afterMs = MAX_FAULT_DELAY_MS * this.#draws.draw(`${name} after`) ** 3;
    const beyond = this.#draws.between(`${name} for`, LEASE_MULTIPLES.from, LEASE_MULTIPLES.to);
    if (killed) {
      return { kind: 'killed', afterMs };
    }
    return frozen ? { kind: 'frozen', afterMs, forMs: (leaseMs * beyond) / clock.speed } : undefined;
  }

  recordInjected(fault: TaskFault, name: string, event: string): void {
    if (fault.kind !== 'frozen') {
      this.#count(fault.kind === 'killed' ? 'workersKilled' : 'workersStopped', stableName(name));
      return;
    }
    this.#count('workersFrozen', stableName(name));
    const from = Date.now();
    this.#freezeWindows.push({ event, from, to: from + fault.forMs });
  }

  /** Which invocations were frozen, and when. */
  get freezeWindows(): readonly FreezeWindow[] {
    return this.#freezeWindows;
  }

  #isThrottled(place: string): boolean {
    const begins = this.#occurs('throttled', place);
    const length = Math.floor(this.#draws.between(`row ${place}`, 0, MAX_THROTTLED_CALLS));
    const still = this.#throttledCallsLeft.get(place) ?? 0;
    this.#throttledCallsLeft.set(place, still > 0 ? still - 1 : begins ? length : 0);
    return still > 0 || begins;
  }

  #occurs(kind: FaultKind, place: string): boolean {
    return this.#draws.draw(`${kind} ${place}`) < (this.#settings?.rates[kind] ?? 0);
  }

  #count(kind: FaultKind, target: string): void {
    const targets = this.#counted.get(kind) ?? new Map<string, number>();
    this.#counted.set(kind, targets.set(target, (targets.get(target) ?? 0) + 1));
  }
}

/** Resolves when the caller disconnects. */
async function waitForDisconnect(signal: AbortSignal): Promise<void> {
  if (signal.aborted) {
    return;
  }
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, MAX_SILENCE_MS);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}

/** Name of a function or a service without the suffix that CloudFormation generates in every run. */
function stableName(functionName: string): string {
  return functionName.replace(/-[A-Z0-9]{12}$/, '');
}
