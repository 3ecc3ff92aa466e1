export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

/** Who makes a call: the session of a role from the template, an outside caller, or the rehearsal itself. */
export interface Principal {
  /** `role`: permissions from the role's policies. `operator`: the rehearsal and its drill, allowed everything. */
  readonly kind: 'role' | 'operator' | 'service' | 'anonymous';
  /** ARN of the role, `operator`, or the service principal (`lambda.amazonaws.com`). */
  readonly arn: string;
  /** Name to print: the function, service or caller that acts. */
  readonly label: string;
  /** Which one of several that act under one label: the id of a task of a service. */
  readonly session?: string;
}

export const OPERATOR: Principal = { kind: 'operator', arn: 'operator', label: 'operator' };

/**
 * Credentials with which the rehearsal calls its own services: they are allowed everything. They are not secret, as
 * signatures are not verified.
 */
export const OPERATOR_CREDENTIALS: Credentials = {
  accessKeyId: 'REHEARSALOPERATOR000',
  secretAccessKey: 'rehearsal',
  sessionToken: 'rehearsal',
};
