import { budget } from './budget';
import { chaos } from './chaos';
import { drain, fargate, fargateChaos, pythonAgent, scaling } from './containers';
import type { NamedDrill } from './drill-app';
import { failover } from './failover';
import { flag } from './flag';
import { GATE_DRILLS } from './gates';
import { rateLimit } from './rate-limit';
import { defaultDrill, noChange, preflightRefuses, quietRelease, twoInARow, updateFailsAfterShift } from './rollouts';
import { rotation } from './rotation';

export type { NamedDrill } from './drill-app';

/** The drills of the repository. */
export const DRILLS: readonly NamedDrill[] = [
  defaultDrill,
  ...GATE_DRILLS,
  preflightRefuses,
  quietRelease,
  updateFailsAfterShift,
  twoInARow,
  noChange,
  chaos,
  rateLimit,
  budget,
  rotation,
  flag,
  failover,
  fargate,
  fargateChaos,
  drain,
  scaling,
  pythonAgent,
];
