import { Grant, type IGrantable } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { IConstruct } from 'constructs';
import { laneError } from '../common';
import type { IIntake } from '../intake';
import { INVOKE_REDRIVE_ACTIONS } from '../redrive/perms';
import { grantReadTranscripts } from '../state/store-grants';

/** What the permissions are for. An imported agent may lack what its attributes do not name. */
interface GrantedResources {
  readonly intake: IIntake;
  readonly redriveFunction: IFunction | undefined;
  readonly payloads: IBucket | undefined;
}

/** Permissions on an agent, for callers and operators. */
export class AgentGrants {
  /** @internal */
  static _on(agent: IConstruct, resources: GrantedResources): AgentGrants {
    return new AgentGrants(agent, resources);
  }

  private constructor(
    private readonly agent: IConstruct,
    private readonly resources: GrantedResources,
  ) {}

  /** Submit tasks, over HTTP (with IAM authorization) and through the inbox; not read them. */
  submit(grantee: IGrantable): Grant {
    return this.resources.intake.grantSubmit(grantee);
  }

  /** Read status and results over HTTP (with IAM authorization). */
  read(grantee: IGrantable): Grant {
    return this.resources.intake.grantRead(grantee);
  }

  /** Cancel tasks over HTTP (with IAM authorization). */
  cancel(grantee: IGrantable): Grant {
    return this.resources.intake.grantCancel(grantee);
  }

  /** Send feedback of users on results over HTTP (with IAM authorization). */
  feedback(grantee: IGrantable): Grant {
    return this.resources.intake.grantFeedback(grantee);
  }

  /** List the tasks in the dead-letter queues and redrive them: `npx cdk-agent-lanes redrive`. */
  redrive(grantee: IGrantable): Grant {
    const { functionArn } = this.required('redriveFunction');
    return Grant.addToPrincipal({ grantee, actions: INVOKE_REDRIVE_ACTIONS, resourceArns: [functionArn] });
  }

  /** Read recorded model calls. They hold what users told the agent. */
  readTranscripts(grantee: IGrantable): Grant {
    return grantReadTranscripts(this.required('payloads'), grantee);
  }

  private required<K extends 'redriveFunction' | 'payloads'>(name: K): NonNullable<GrantedResources[K]> {
    const resource = this.resources[name];
    if (resource === undefined) {
      throw laneError(
        this.agent,
        'MissingAgentAttribute',
        `the agent was imported without ${name}, which this grant needs: add it to the attributes`,
      );
    }
    return resource;
  }
}
