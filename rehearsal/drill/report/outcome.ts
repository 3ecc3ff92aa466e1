import type { ReleaseVerdict } from '../scenario/scenario';
import type { ValvePeriod } from './history';

/** What CloudFormation and CodeDeploy said of one deployment. Times are cloud milliseconds since 1970. */
export interface DeploymentFacts {
  /** `CREATE_COMPLETE`, `UPDATE_ROLLBACK_COMPLETE`, … */
  readonly status: string;
  /** First failure, as CloudFormation shows it. */
  readonly failure: string | undefined;
  readonly startedAt: number;
  readonly endedAt: number;
  /** The traffic shift, if there was one. */
  readonly shift:
    | {
        readonly steps: readonly { readonly at: number; readonly weight: number }[];
        readonly endedAt: number | undefined;
        /** What stopped it, in words: gates with their values, or a hook's finding. Empty: nothing did. */
        readonly stopCauses: readonly string[];
      }
    | undefined;
  /** A change of the flags reached workers, and with them users. */
  readonly flagsDeployed?: boolean;
  /** When the release was recorded as promoted, if it was. */
  readonly promotedAt: number | undefined;
}

export interface DeploymentOutcome {
  readonly verdict: ReleaseVerdict;
  readonly reason: string;
}

const COMPLETED: ReadonlySet<string> = new Set(['CREATE_COMPLETE', 'UPDATE_COMPLETE', 'NO_CHANGES']);

/** Whether the stack reached a stable status, completed or rolled back. */
export function isSettled(status: string): boolean {
  return COMPLETED.has(status) || status === 'ROLLBACK_COMPLETE' || status === 'UPDATE_ROLLBACK_COMPLETE';
}

/** ReleaseVerdict of the release: `rolled_back` if a user may have reached it, otherwise `refused`. */
export function outcomeOf(facts: DeploymentFacts): DeploymentOutcome {
  if (COMPLETED.has(facts.status)) {
    return { verdict: 'promoted', reason: promotionReason(facts) };
  }
  const reached = (facts.shift?.steps.some((step) => step.weight > 0) ?? false) || facts.flagsDeployed === true;
  const known = facts.shift?.stopCauses ?? [];
  const failure = facts.failure === undefined ? [] : [facts.failure];
  const unsettled = isSettled(facts.status) ? [] : [`the stack is in ${facts.status}`];
  return {
    verdict: reached ? 'rolled_back' : 'refused',
    // The cause of the stopped shift is more precise than the failure of the resource that follows from it.
    reason: [...(known.length > 0 ? known : failure), ...unsettled].join('; ') || facts.status,
  };
}

function promotionReason(facts: DeploymentFacts): string {
  if (facts.status === 'NO_CHANGES') {
    return 'nothing to change';
  }
  if (facts.shift === undefined) {
    return facts.status === 'CREATE_COMPLETE'
      ? 'initial deployment: no traffic to shift'
      : 'updated without a traffic shift';
  }
  const largest = facts.shift.steps.map((step) => `${Math.round(step.weight * 100)} %`).join(', ');
  return `no gate fired at ${largest}`;
}

/**
 * Share of the valve over time. Where CloudFormation restored an alias without a shift the moment is not known, so the
 * periods before and after overlap.
 */
export function valvePeriods(facts: DeploymentFacts): readonly ValvePeriod[] {
  const steps = [...(facts.shift?.steps ?? [])].sort((a, b) => a.at - b.at);
  const first = steps[0];
  const last = steps.at(-1);
  if (first === undefined || last === undefined) {
    return [{ share: 0, from: facts.startedAt, to: Number.POSITIVE_INFINITY }];
  }
  const closedBy = facts.promotedAt ?? facts.endedAt;
  const periods: ValvePeriod[] = [{ share: 0, from: facts.startedAt, to: first.at }];
  steps.forEach((step, index) => {
    const next = steps[index + 1]?.at ?? (step.weight === 0 ? Number.POSITIVE_INFINITY : closedBy);
    periods.push({ share: step.weight, from: step.at, to: next });
  });
  if (last.weight > 0) {
    const closedFrom = facts.promotedAt ?? facts.shift?.endedAt ?? last.at;
    periods.push({ share: 0, from: closedFrom, to: Number.POSITIVE_INFINITY });
  }
  return periods;
}

/** Real seconds from the first shift of traffic to the end of the last. */
export function shiftSecondsOf(facts: DeploymentFacts, speed: number): number {
  const first = facts.shift?.steps[0];
  const last = facts.shift?.steps.at(-1);
  if (first === undefined || last === undefined) {
    return 0;
  }
  return ((facts.shift?.endedAt ?? last.at) - first.at) / speed / 1000;
}
