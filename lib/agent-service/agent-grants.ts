import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import type { Intake } from '../intake';

/** Permissions on an agent, for callers. */
export class AgentGrants {
  constructor(private readonly intake: Intake) {}

  /** May submit tasks, over HTTP and through the inbox; may not read them. */
  submit(grantee: IGrantable): Grant {
    return this.intake.grantSubmit(grantee);
  }

  /** May read status and results over HTTP. */
  read(grantee: IGrantable): Grant {
    return this.intake.grantRead(grantee);
  }
}
