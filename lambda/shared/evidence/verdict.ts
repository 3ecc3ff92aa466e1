/** What one gate knows. Logarithms are natural. */
export interface GateEvidence {
  readonly name: string;
  readonly severity: 'critical' | 'warning';
  /** Of harm: the largest of the gate's tests (absolute limit, comparison). */
  readonly logHarm: number;
  /** Of safety: the smallest of the gate's tests. */
  readonly logSafety: number;
  /** Judged users of the candidate. */
  readonly users: number;
}

export interface VerdictConditions {
  /** The stage has lasted as long as it must. */
  readonly baked: boolean;
  /** Natural logarithm of the evidence that the split is not as configured. */
  readonly logSampleRatio: number;
  /** Evidence was read up to the present. */
  readonly fresh: boolean;
  /** Proceeds without proof of safety when no harm shows among this number of users. @default proof is required */
  readonly minUsersWithoutHarm?: number;
}

export type PauseReason = 'not_baked' | 'stale' | 'sample_ratio' | 'warning_gate' | 'quiet' | 'underpowered';

export type GateVerdict =
  | { readonly action: 'rollback'; readonly gates: readonly string[] }
  | { readonly action: 'proceed'; readonly grade: 'proof_of_safety' | 'no_harm_shown' }
  | { readonly action: 'pause_and_investigate'; readonly reason: PauseReason; readonly gates: readonly string[] };

/** Probability with which a release that is no worse is ever rolled back, over all critical gates and all looks. */
const FALSE_ROLLBACKS = 0.05;
/** Probability with which a release at the margin is ever called safe by one gate. */
const FALSE_PROMOTIONS = 0.05;
const SAMPLE_RATIO_THRESHOLD = Math.log(100);

/**
 * The verdict on a stage: a pure function of the evidence. Harm that any critical gate proves decides at once; safety must
 * be proved by all of them. The critical gates share the error rate of a rollback; safety needs no such correction, since
 * all must agree.
 */
export function judgeStage(gates: readonly GateEvidence[], conditions: VerdictConditions): GateVerdict {
  const critical = gates.filter(({ severity }) => severity === 'critical');
  const harmful = (tested: readonly GateEvidence[]): string[] =>
    tested.filter(({ logHarm }) => logHarm >= Math.log(tested.length / FALSE_ROLLBACKS)).map(({ name }) => name);
  const broken = harmful(critical);
  if (broken.length > 0) {
    return { action: 'rollback', gates: broken };
  }
  const pause = (reason: PauseReason, names: readonly string[] = []): GateVerdict => ({
    action: 'pause_and_investigate',
    reason,
    gates: names,
  });
  const warnings = harmful(gates.filter(({ severity }) => severity === 'warning'));
  if (warnings.length > 0) {
    return pause('warning_gate', warnings);
  }
  if (conditions.logSampleRatio >= SAMPLE_RATIO_THRESHOLD) {
    return pause('sample_ratio');
  }
  if (!conditions.baked) {
    return pause('not_baked');
  }
  if (!conditions.fresh) {
    return pause('stale');
  }
  const unproved = critical.filter(({ logSafety }) => logSafety < -Math.log(FALSE_PROMOTIONS));
  if (unproved.length === 0) {
    return { action: 'proceed', grade: 'proof_of_safety' };
  }
  const required = conditions.minUsersWithoutHarm;
  if (required !== undefined && critical.every(({ users }) => users >= required)) {
    return { action: 'proceed', grade: 'no_harm_shown' };
  }
  const quiet = unproved.filter(({ users }) => users === 0).map(({ name }) => name);
  return quiet.length > 0
    ? pause('quiet', quiet)
    : pause(
        'underpowered',
        unproved.map(({ name }) => name),
      );
}
