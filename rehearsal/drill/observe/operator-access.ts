import type { Credentials } from '../../core/principal';

/** How the drill's own SDK clients reach the rehearsal's cloud: as an operator who may do everything. */
export interface OperatorAccess {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: Credentials;
}
