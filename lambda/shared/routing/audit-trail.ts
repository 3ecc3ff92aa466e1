import { type AuditEntry, auditEntrySchema, ControlKey } from '../../../lib/contract';
import type { ControlTable } from './control-table';

/** What is audited; the trail adds the agent. */
export interface AuditedEvent extends Omit<AuditEntry, 'at' | 'agent'> {
  /**
   * Milliseconds since 1970, taken from the state that the event made. A repeated event then finds its entry, instead of
   * writing a second one.
   */
  readonly at: number;
  /** Tells events of one moment apart. */
  readonly id: string;
}

/** Append-only audit trail in the control table. */
export class AuditTrail {
  readonly #table: ControlTable;
  readonly #agent: string;

  constructor(table: ControlTable, agent: string) {
    this.#table = table;
    this.#agent = agent;
  }

  /** Writes the entry unless it is there already. */
  async append({ at, id, ...event }: AuditedEvent): Promise<void> {
    const time = new Date(at).toISOString();
    const entry: AuditEntry = auditEntrySchema.parse({ at: time, agent: this.#agent, ...event });
    await this.#table.putOnce(ControlKey.audit(time, `${event.action}#${id}`), entry);
  }
}
