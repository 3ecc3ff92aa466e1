import { ArnFormat, type CfnResource, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import {
  Application,
  CfnDeployment,
  ConfigurationContent,
  Environment,
  HostedConfiguration,
  JsonSchemaValidator,
  Monitor,
} from 'aws-cdk-lib/aws-appconfig';
import { Alarm, type IAlarmAction, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import {
  Effect,
  Grant,
  type IGrantable,
  PolicyDocument,
  PolicyStatement,
  Role,
  ServicePrincipal,
} from 'aws-cdk-lib/aws-iam';
import { Construct, type IDependable } from 'constructs';
import { laneError } from '../common';
import type { FlagSettings } from '../contract';
import { GateSeverity } from '../gates';
import { TaskMetrics } from '../metrics';
import type { CapabilityFlag, FlagDescription } from './capability-flag';
import { FlagDeploymentStrategy } from './flag-deployment-strategy';
import { MONITOR_ACTIONS, READ_FLAGS_ACTIONS } from './perms';

export interface FlagsProps {
  readonly agentName: string;
  /** Flags by the name under which the agent reads them. */
  readonly flags: { readonly [name: string]: CapabilityFlag };
  /**
   * How a change of the flags reaches the workers.
   *
   * @default - a fifth of the execution environments every two minutes, then ten minutes of watching
   */
  readonly deploymentStrategy?: FlagDeploymentStrategy;
  /**
   * Told about gates that fire.
   *
   * @default - nobody
   */
  readonly alarmAction?: IAlarmAction;
}

/** https://docs.aws.amazon.com/appconfig/2019-10-09/APIReference/API_CreateEnvironment.html */
const MAX_MONITORS = 5;

/**
 * The flags of an agent as one configuration of AppConfig. A change of it grows over the workers, is taken back by its
 * alarms, and is no part of a release: the same release runs before and after.
 */
export class Flags extends Construct {
  readonly application: Application;
  readonly environment: Environment;
  readonly configuration: HostedConfiguration;
  /** Alarms that take a change back. */
  readonly critical: Alarm[] = [];
  /** Alarms that only notify. */
  readonly warning: Alarm[] = [];
  private readonly deployment: CfnDeployment;
  private readonly defaults: FlagSettings['defaults'];

  constructor(scope: Construct, id: string, props: FlagsProps) {
    super(scope, id);
    const described = Object.entries(props.flags).map(([name, flag]): [string, FlagDescription] => [
      name,
      flag._describe(this, name),
    ]);
    if (described.length === 0) {
      throw laneError(
        this,
        'MissingFlags',
        'flags holds no flag, expected one at least; leave flags out, or declare one',
      );
    }
    this.defaults = Object.fromEntries(described.map(([name, flag]) => [name, flag.default]));
    for (const [name, flag] of described) {
      this.watch(props, name, flag);
    }
    if (this.critical.length > MAX_MONITORS) {
      throw laneError(
        this,
        'TooManyFlagGates',
        `the flags have ${this.critical.length} critical gates, expected at most ${MAX_MONITORS}, for AppConfig watches no more alarms; make some of them GateSeverity.WARNING, or take those of flags away that are rolled out`,
      );
    }
    const description = `Flags of agent ${props.agentName}`;
    const growth =
      props.deploymentStrategy ??
      FlagDeploymentStrategy.linear({
        percentage: 20,
        deploymentDuration: Duration.minutes(10),
        bakeTime: Duration.minutes(10),
      });
    this.application = new Application(this, 'Application', { description });
    this.environment = new Environment(this, 'Environment', {
      application: this.application,
      description,
      ...(this.critical.length === 0 ? {} : { monitors: this.monitors() }),
    });
    this.configuration = new HostedConfiguration(this, 'Configuration', {
      application: this.application,
      description,
      content: ConfigurationContent.fromInlineJson(JSON.stringify(Object.fromEntries(described))),
      validators: [JsonSchemaValidator.fromInline(JSON.stringify(schemaOf(described)))],
      deploymentStrategy: growth._bind(this, 'Growth'),
    });
    // AppConfig keeps a copy of what it serves. Versions that stay behind would keep the profile from being deleted.
    (this.configuration.node.defaultChild as CfnResource).applyRemovalPolicy(RemovalPolicy.DESTROY);
    this.deployment = new CfnDeployment(this, 'Deployment', {
      applicationId: this.application.applicationId,
      environmentId: this.environment.environmentId,
      configurationProfileId: this.configuration.configurationProfileId,
      configurationVersion: this.configuration.versionNumber as string,
      deploymentStrategyId: (this.configuration.deploymentStrategy as { deploymentStrategyId: string })
        .deploymentStrategyId,
      description,
    });
  }

  /** Lets a worker read the flags. */
  grantRead(grantee: IGrantable): Grant {
    const { application, environment, configuration } = this;
    return Grant.addToPrincipal({
      grantee,
      actions: READ_FLAGS_ACTIONS,
      resourceArns: [
        Stack.of(this).formatArn({
          service: 'appconfig',
          resource: 'application',
          resourceName: `${application.applicationId}/environment/${environment.environmentId}/configuration/${configuration.configurationProfileId}`,
          arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
        }),
      ],
    });
  }

  /**
   * Value of the worker's setting.
   *
   * @internal
   */
  _settings(): string {
    const settings: FlagSettings = {
      application: this.application.applicationId,
      environment: this.environment.environmentId,
      profile: this.configuration.configurationProfileId,
      defaults: this.defaults,
    };
    return Stack.of(this).toJsonString(settings);
  }

  /**
   * A change of the flags waits for the promotion of a release in the same deployment. AppConfig does not take back what
   * was deployed to its end when CloudFormation puts a stack back, so nothing may come after it.
   *
   * @internal
   */
  _deployAfter(...others: IDependable[]): void {
    this.deployment.node.addDependency(...others);
  }

  private watch({ agentName, flags, alarmAction: action }: FlagsProps, name: string, flag: FlagDescription): void {
    const candidate = TaskMetrics.ofFlag(agentName, name, String(flag.variant));
    const baseline = TaskMetrics.ofFlag(agentName, name, String(flag.default));
    const scope = new Construct(this, name);
    for (const [gateName, gate] of Object.entries(flags[name]?._gates ?? {})) {
      const config = gate.bind(scope, { agentName, candidate, stable: baseline });
      const critical = config.severity === GateSeverity.CRITICAL;
      const alarm = new Alarm(scope, gateName, {
        metric: config.metric,
        comparisonOperator: config.comparisonOperator,
        threshold: config.threshold,
        evaluationPeriods: config.evaluationPeriods,
        datapointsToAlarm: config.datapointsToAlarm,
        treatMissingData: TreatMissingData.NOT_BREACHING,
        alarmDescription: `Gate '${gateName}' of flag '${name}' of agent '${agentName}' (${critical ? 'critical, takes a change of the flags back' : 'warning, stops nothing'}), on tasks that met '${flag.variant}', with those that met '${flag.default}' for the stable lane: ${config.description}`,
      });
      if (action !== undefined) {
        alarm.addAlarmAction(action);
      }
      (critical ? this.critical : this.warning).push(alarm);
    }
  }

  /** With one role for all: https://docs.aws.amazon.com/appconfig/latest/userguide/getting-started-with-appconfig-cloudwatch-alarms-permissions.html */
  private monitors(): Monitor[] {
    const role = new Role(this, 'MonitorRole', {
      description: 'AppConfig looks at the alarms of the flags',
      assumedBy: new ServicePrincipal('appconfig.amazonaws.com'),
      inlinePolicies: {
        Alarms: new PolicyDocument({
          statements: [new PolicyStatement({ effect: Effect.ALLOW, actions: MONITOR_ACTIONS, resources: ['*'] })],
        }),
      },
    });
    return this.critical.map((alarm) => Monitor.fromCloudWatchAlarm(alarm, role));
  }
}

/** What AppConfig holds a configuration to, also one that is written in its console: these flags, of these types. */
function schemaOf(flags: readonly (readonly [string, FlagDescription])[]): unknown {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    type: 'object',
    additionalProperties: false,
    required: flags.map(([name]) => name),
    properties: Object.fromEntries(
      flags.map(([name, flag]) => {
        const value =
          typeof flag.default === 'string'
            ? { type: 'string', minLength: 1, maxLength: 64, pattern: '^[ -~]+$' }
            : { type: typeof flag.default };
        return [
          name,
          {
            type: 'object',
            additionalProperties: false,
            required: ['default', 'variant', 'percent'],
            properties: {
              default: value,
              variant: value,
              percent: { type: 'number', minimum: 0, maximum: 100 },
              users: { type: 'array', maxItems: 1000, items: { type: 'string', minLength: 1 } },
            },
          },
        ];
      }),
    ),
  };
}
