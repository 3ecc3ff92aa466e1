import type { Credentials } from '../../core/principal';

/** Configuration of the drill's own SDK clients: an operator with all permissions. */
export interface OperatorAccess {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: Credentials;
}
