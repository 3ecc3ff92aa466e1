/** What a breach of a gate does. */
export enum GateSeverity {
  /** Ends the shift: CodeDeploy takes the alias back and the stack rolls back. Also notifies the topic. */
  CRITICAL = 'critical',
  /** Notifies the topic and stops nothing. */
  WARNING = 'warning',
}
