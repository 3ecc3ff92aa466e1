import {
  ControlKey,
  digestOf,
  type PromotedItem,
  promotedItemSchema,
  type RolloutItem,
  type RolloutTarget,
  rolloutItemSchema,
  sameTarget,
} from '../../../lib/contract';
import type { Clock } from '../clock';
import type { AuditTrail } from './audit-trail';
import type { ControlTable } from './control-table';

/** The stack operation behind a change, for the audit trail. */
export interface Operation {
  /** Same for every delivery of one event. */
  readonly requestId: string;
  readonly actor: string;
  /**
   * Target whose running tasks are requeued in the stable lane if this operation rolls its rollout back.
   */
  readonly revokes?: RolloutTarget;
}

export interface LedgerProps {
  readonly table: ControlTable;
  readonly audit: AuditTrail;
  readonly clock: Clock;
}

/**
 * Keeps what is promoted and which rollout is in progress. One stack operation at a time writes here; an event that is
 * delivered again finds its work done and changes nothing.
 */
export class RolloutLedger {
  constructor(private readonly props: LedgerProps) {}

  /**
   * The template names this target. A target that is not promoted starts a rollout. The promoted target ends one: that is
   * how CloudFormation rolls a failed deployment back.
   */
  async name(target: RolloutTarget, operation: Operation): Promise<RolloutItem | undefined> {
    const { audit, clock, table } = this.props;
    const promoted = await this.promoted();
    const rollout = await this.rollout();
    if (sameTarget(promoted?.target, target)) {
      return await this.rollBack(rollout, target, operation);
    }
    const id = rolloutIdOf(target, operation);
    const next: RolloutItem =
      rollout?.id === id ? rollout : { id, target, status: 'in_progress', startedAt: clock.now() };
    if (next !== rollout) {
      await table.replace(ControlKey.rollout, { ...next });
    }
    await audit.append({
      at: next.startedAt,
      id,
      action: 'rollout_started',
      release: target.release,
      actor: operation.actor,
      reason:
        promoted === undefined
          ? `first deployment: release ${target.release}`
          : `from release ${promoted.target.release} to ${target.release}`,
      details: { rollout: id, target, ...(promoted === undefined ? {} : { from: promoted.target }) },
    });
    return next;
  }

  /** The target went all the way: from now on everything goes to the stable lane. */
  async promote(target: RolloutTarget, operation: Operation): Promise<PromotedItem> {
    const { audit, clock, table } = this.props;
    const before = await this.promoted();
    const promoted: PromotedItem =
      before !== undefined && sameTarget(before.target, target) ? before : { target, promotedAt: clock.now() };
    if (promoted !== before) {
      await table.replace(ControlKey.promoted, { ...promoted });
    }
    const rollout = await this.rollout();
    if (rollout?.status === 'in_progress' && sameTarget(rollout.target, target)) {
      await table.replace(ControlKey.rollout, { ...rollout, status: 'promoted', endedAt: clock.now() });
    }
    await audit.append({
      at: promoted.promotedAt,
      id: digestOf(target).slice(0, 12),
      action: 'release_promoted',
      release: target.release,
      actor: operation.actor,
      reason: `release ${target.release} is what the stable lane runs`,
      details: { target },
    });
    return promoted;
  }

  private async rollBack(
    rollout: RolloutItem | undefined,
    target: RolloutTarget,
    operation: Operation,
  ): Promise<RolloutItem | undefined> {
    const { audit, clock, table } = this.props;
    if (rollout === undefined || rollout.status === 'promoted') {
      return rollout;
    }
    // An event delivered again finds the rollout rolled back already, and only makes sure of the audit entry.
    const ended: RolloutItem =
      rollout.status === 'rolled_back'
        ? rollout
        : {
            ...rollout,
            status: 'rolled_back',
            endedAt: clock.now(),
            ...(sameTarget(operation.revokes, rollout.target) ? { revoked: true } : {}),
          };
    if (ended !== rollout) {
      await table.replace(ControlKey.rollout, { ...ended });
    }
    const revoked = ended.revoked === true;
    const tasks = revoked ? 'its running tasks are requeued in the stable lane' : 'its running tasks may finish';
    await audit.append({
      at: ended.endedAt ?? ended.startedAt,
      id: ended.id,
      action: 'rollout_rolled_back',
      release: ended.target.release,
      actor: operation.actor,
      reason: `the deployment of ${ended.target.release} failed: back to release ${target.release}; ${tasks}`,
      details: { rollout: ended.id, target: ended.target, backTo: target, revoked },
    });
    return ended;
  }

  private async promoted(): Promise<PromotedItem | undefined> {
    const item = await this.props.table.get(ControlKey.promoted);
    return item === undefined ? undefined : promotedItemSchema.parse(item);
  }

  private async rollout(): Promise<RolloutItem | undefined> {
    const item = await this.props.table.get(ControlKey.rollout);
    return item === undefined ? undefined : rolloutItemSchema.parse(item);
  }
}

/** One rollout per stack operation: trying the same target again is another rollout, with evidence of its own. */
function rolloutIdOf(target: RolloutTarget, { requestId }: Operation): string {
  return `${target.release}-${digestOf([target, requestId]).slice(0, 12)}`;
}
