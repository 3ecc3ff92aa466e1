import { digestOf, type PromotedItem, type RolloutItem, type RolloutTarget, sameTarget } from '../../../lib/contract';
import type { Clock } from '../clock';
import type { AuditTrail } from './audit-trail';
import type { RoutingRepository } from './routing-repository';

/** The stack operation behind a change, for the audit trail. */
export interface StackOperation {
  /** The same for every delivery of one event. */
  readonly requestId: string;
  readonly actor: string;
  /** Target whose running tasks are requeued in the stable lane if this operation rolls its rollout back. */
  readonly revokes?: RolloutTarget;
}

export interface RolloutsDeps {
  readonly routing: Pick<RoutingRepository, 'readPromoted' | 'readRollout' | 'startRollout' | 'endRollout' | 'promote'>;
  readonly audit: AuditTrail;
  readonly clock: Clock;
}

/**
 * Starts, promotes and rolls back rollouts, and audits each. One stack operation at a time writes here; a repeated event
 * finds its work done and changes nothing.
 */
export class Rollouts {
  readonly #deps: RolloutsDeps;

  constructor(deps: RolloutsDeps) {
    this.#deps = deps;
  }

  /**
   * Records the target that the template names. A target that is not promoted starts a rollout. The promoted target rolls
   * the rollout back: that is how CloudFormation undoes a failed deployment.
   */
  async deploy(target: RolloutTarget, operation: StackOperation): Promise<RolloutItem | undefined> {
    const { audit, clock, routing } = this.#deps;
    const promoted = await routing.readPromoted();
    const rollout = await routing.readRollout();
    if (sameTarget(promoted?.target, target)) {
      return await this.#rollBack(rollout, target, operation);
    }
    const id = rolloutIdOf(target, operation);
    let current = rollout;
    if (current?.id !== id) {
      const started = { id, target, status: 'in_progress', startedAt: clock.now() } as const;
      await routing.startRollout(started);
      current = started;
    }
    await audit.append({
      at: current.startedAt,
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
    return current;
  }

  /** The rollout of the target is complete: from now on the router sends everything to the stable lane. */
  async promote(target: RolloutTarget, operation: StackOperation): Promise<PromotedItem> {
    const { audit, clock, routing } = this.#deps;
    const before = await routing.readPromoted();
    const promoted: PromotedItem =
      before !== undefined && sameTarget(before.target, target) ? before : { target, promotedAt: clock.now() };
    if (promoted !== before) {
      await routing.promote(promoted);
    }
    const rollout = await routing.readRollout();
    if (rollout?.status === 'in_progress' && sameTarget(rollout.target, target)) {
      await routing.endRollout({ ...rollout, status: 'promoted', endedAt: clock.now() });
    }
    await audit.append({
      at: promoted.promotedAt,
      id: digestOf(target).slice(0, 12),
      action: 'release_promoted',
      release: target.release,
      actor: operation.actor,
      reason: `the stable lane runs release ${target.release}`,
      details: { target },
    });
    return promoted;
  }

  async #rollBack(
    rollout: RolloutItem | undefined,
    target: RolloutTarget,
    operation: StackOperation,
  ): Promise<RolloutItem | undefined> {
    const { audit, clock, routing } = this.#deps;
    if (rollout === undefined || rollout.status === 'promoted') {
      return rollout;
    }
    // A repeated event finds the rollout rolled back already, and only makes sure of the audit entry.
    let ended = rollout;
    if (rollout.status !== 'rolled_back') {
      const revoked = sameTarget(operation.revokes, rollout.target) ? true : undefined;
      const next = { ...rollout, status: 'rolled_back', endedAt: clock.now(), revoked } as const;
      await routing.endRollout(next);
      ended = next;
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
}

/** One rollout per stack operation: another deployment of the same target is another rollout, with its own evidence. */
function rolloutIdOf(target: RolloutTarget, { requestId }: StackOperation): string {
  return `${target.release}-${digestOf([target, requestId]).slice(0, 12)}`;
}
