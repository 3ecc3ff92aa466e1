import { type BudgetSettings, ControlKey, DAY_MS, DAY_SECONDS, sha256, type TableKey } from '../../../lib/contract';
import type { Clock } from '../clock';
import type { BudgetStore } from './budget-store';

/** Number of days for which the spending of a day stays readable. */
const KEPT_DAYS = 32;

/** Maximum age of the cached spending of an agent. Milliseconds of the cloud's time. */
const KEPT_MS = 5_000;

/** A budget that is used up. */
export interface ExceededBudget {
  readonly whose: 'agent' | 'user';
  /** US dollars a day. */
  readonly limit: number;
  /** Milliseconds until the next day begins, in UTC. */
  readonly endsInMs: number;
  /** A sentence that the caller may read. */
  readonly message: string;
}

/** How much of each budget is used, in percent. Undefined where there is no such budget. */
export interface UsedShares {
  readonly agent: number | undefined;
  readonly user: number | undefined;
}

export interface BudgetBookDeps {
  readonly settings: BudgetSettings;
  readonly store: BudgetStore;
  readonly clock: Clock;
}

/** The budgets of an agent and of its users. Each day (UTC) has its own. */
export class BudgetBook {
  readonly #parts: BudgetBookDeps;
  #agent: { readonly at: number; readonly day: string; readonly spent: number } | undefined;

  constructor(parts: BudgetBookDeps) {
    this.#parts = parts;
  }

  /**
   * The budget that is used up, if one is: the agent's, or the user's.
   *
   * @param own dollars of the caller's that are not counted yet
   */
  async exceeded(user: string | undefined, own = 0): Promise<ExceededBudget | undefined> {
    const { agentPerDay, userPerDay } = this.#parts.settings;
    const { now, day } = this.#today();
    if (agentPerDay !== undefined && (await this.#spentByAgent(now, day)) + own >= agentPerDay) {
      return exceeded('agent', agentPerDay, now);
    }
    if (userPerDay !== undefined && user !== undefined) {
      const spent = await this.#parts.store.spent(ControlKey.userBudget(day, sha256(user)));
      return spent + own >= userPerDay ? exceeded('user', userPerDay, now) : undefined;
    }
    return undefined;
  }

  /** Counts what was spent. @param user undefined: it counts for the agent alone */
  async spend(user: string | undefined, dollars: number): Promise<UsedShares> {
    const { agentPerDay, userPerDay } = this.#parts.settings;
    const { now, day } = this.#today();
    const add = async (key: TableKey, limit: number) => {
      const expiresAt = Math.ceil(now / 1000) + KEPT_DAYS * DAY_SECONDS;
      const spent = await this.#parts.store.add(key, dollars, expiresAt);
      return { spent, percent: (spent / limit) * 100 };
    };
    const [agent, ofUser] = await Promise.all([
      agentPerDay === undefined ? undefined : add(ControlKey.agentBudget(day), agentPerDay),
      userPerDay === undefined || user === undefined
        ? undefined
        : add(ControlKey.userBudget(day, sha256(user)), userPerDay),
    ]);
    if (agent !== undefined) {
      this.#agent = { at: now, day, spent: agent.spent };
    }
    return { agent: agent?.percent, user: ofUser?.percent };
  }

  async #spentByAgent(now: number, day: string): Promise<number> {
    const known = this.#agent;
    if (known?.day === day && now - known.at <= KEPT_MS) {
      return known.spent;
    }
    const spent = await this.#parts.store.spent(ControlKey.agentBudget(day));
    this.#agent = { at: now, day, spent };
    return spent;
  }

  #today(): { readonly now: number; readonly day: string } {
    const now = this.#parts.clock.now();
    return { now, day: new Date(now).toISOString().slice(0, 'YYYY-MM-DD'.length) };
  }
}

function exceeded(whose: ExceededBudget['whose'], limit: number, now: number): ExceededBudget {
  const endsInMs = DAY_MS - (now % DAY_MS);
  const renewed = new Date(Math.round(now + endsInMs)).toISOString().replace('.000Z', 'Z');
  return {
    whose,
    limit,
    endsInMs,
    message: `the ${whose}'s budget of ${limit} US dollars a day is used up; the next day's begins at ${renewed}, in ${Math.ceil(endsInMs / 1000)} s`,
  };
}
