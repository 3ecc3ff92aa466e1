import type { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IIntake } from '../intake';
import type { Redrive } from '../redrive';
import type { IAgentStore } from '../state';

/** Permissions on an agent, for callers and for those who operate it. */
export class AgentGrants {
  constructor(
    private readonly intake: IIntake,
    private readonly redriving: Redrive,
    private readonly store: IAgentStore,
  ) {}

  /** May submit tasks, over HTTP and through the inbox; may not read them. */
  submit(grantee: IGrantable): Grant {
    return this.intake.grantSubmit(grantee);
  }

  /** May read status and results over HTTP. */
  read(grantee: IGrantable): Grant {
    return this.intake.grantRead(grantee);
  }

  /** May cancel tasks over HTTP. */
  cancel(grantee: IGrantable): Grant {
    return this.intake.grantCancel(grantee);
  }

  /** May say over HTTP what a user thinks of a result. */
  feedback(grantee: IGrantable): Grant {
    return this.intake.grantFeedback(grantee);
  }

  /** May list the tasks in the dead-letter queues and send them back: `npx cdk-agent-lanes redrive`. */
  redrive(grantee: IGrantable): Grant {
    return this.redriving.grantInvoke(grantee);
  }

  /** May read recorded model calls, and with them whatever users told the agent. */
  readTranscripts(grantee: IGrantable): Grant {
    return this.store.grants.readTranscripts(grantee);
  }
}
