import type { Credentials } from './ports';

/**
 * With these the rehearsal itself calls its own services: they are allowed everything. Like every credential here they
 * are no secret, for signatures are not verified.
 */
export const OPERATOR_CREDENTIALS: Credentials = {
  accessKeyId: 'REHEARSALOPERATOR000',
  secretAccessKey: 'rehearsal',
  sessionToken: 'rehearsal',
};
