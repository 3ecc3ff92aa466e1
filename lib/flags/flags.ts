import { ArnFormat, type CfnResource, Duration, Lazy, RemovalPolicy, Stack } from 'aws-cdk-lib';
import {
  Application,
  CfnDeployment,
  type CfnEnvironment,
  ConfigurationContent,
  Environment,
  HostedConfiguration,
  JsonSchemaValidator,
} from 'aws-cdk-lib/aws-appconfig';
import type { Alarm, IAlarmAction } from 'aws-cdk-lib/aws-cloudwatch';
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
import { createGateAlarm } from '../gates/gate-alarms';
import { TaskMetricSet } from '../metrics';
import type { CapabilityFlag, FlagDescription } from './capability-flag';
import { FlagDeploymentStrategy } from './flag-deployment-strategy';
import { MONITOR_ACTIONS, READ_FLAGS_ACTIONS } from './perms';

/** Construct props of {@link Flags}. */
export interface FlagsProps {
  /** Name of the agent, and value of the metric dimension `Agent`. */
  readonly agentName: string;
  /** Flags by the name under which the agent reads them; at least one. */
  readonly flags: { readonly [name: string]: CapabilityFlag };
  /**
   * How a change of the flags reaches the workers.
   *
   * @default - 20 % of the execution environments every two minutes, and a bake time of ten minutes
   */
  readonly deploymentStrategy?: FlagDeploymentStrategy;
  /**
   * Notified about gates that breach.
   *
   * @default - no alarm action
   */
  readonly alarmAction?: IAlarmAction;
}

/** https://docs.aws.amazon.com/appconfig/2019-10-09/APIReference/API_CreateEnvironment.html */
const MAX_MONITORS = 5;

/**
 * The flags of an agent as one AppConfig configuration. A change is deployed to the workers in steps, its alarms roll it
 * back, and it is not part of a release: the same release runs before and after.
 */
export class Flags extends Construct {
  /** AppConfig application of the agent. */
  readonly application: Application;
  /** AppConfig environment that the workers read. */
  readonly environment: Environment;
  /** The document of flags. */
  readonly configuration: HostedConfiguration;
  /** Alarms that roll a change back; at most five. */
  readonly critical: Alarm[] = [];
  /** Alarms that only notify. */
  readonly warning: Alarm[] = [];
  private readonly agentName: string;
  private readonly alarmAction: IAlarmAction | undefined;
  private readonly deployment: CfnDeployment;
  private readonly descriptions = new Map<string, FlagDescription>();
  private monitorRole: Role | undefined;

  constructor(scope: Construct, id: string, props: FlagsProps) {
    super(scope, id);
    this.agentName = props.agentName;
    this.alarmAction = props.alarmAction;
    if (Object.keys(props.flags).length === 0) {
      throw laneError(
        this,
        'MissingFlags',
        'flags is empty, expected at least one flag; leave flags out, or declare one',
      );
    }
    const description = `Flags of agent ${props.agentName}`;
    const strategy =
      props.deploymentStrategy ??
      FlagDeploymentStrategy.linear({
        percentage: 20,
        deploymentDuration: Duration.minutes(10),
        bakeTime: Duration.minutes(10),
      });
    this.application = new Application(this, 'Application', { description });
    this.environment = new Environment(this, 'Environment', { application: this.application, description });
    for (const [name, flag] of Object.entries(props.flags)) {
      this.addFlag(name, flag);
    }
    this.configuration = new HostedConfiguration(this, 'Configuration', {
      application: this.application,
      description,
      // At synth: addFlag may come later.
      content: ConfigurationContent.fromInlineJson(
        Lazy.string({ produce: () => JSON.stringify(Object.fromEntries(this.descriptions)) }),
      ),
      validators: [
        JsonSchemaValidator.fromInline(
          Lazy.string({ produce: () => JSON.stringify(schemaOf([...this.descriptions])) }),
        ),
      ],
      deploymentStrategy: strategy._bind(this, 'Growth'),
    });
    // AppConfig copies the content that it serves. Retained versions would prevent the deletion of the profile.
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

  /**
   * Adds a flag to the configuration.
   *
   * @param name under which the agent reads it: 1 to 64 letters, digits, `-` or `_`, a letter first
   */
  addFlag(name: string, flag: CapabilityFlag): void {
    if (this.descriptions.has(name)) {
      throw laneError(this, 'DuplicateFlag', `flag "${name}" is declared already, expected each name once; rename it`);
    }
    const described = flag._describe(this, name);
    this.descriptions.set(name, described);
    const candidate = TaskMetricSet.ofFlag(this.agentName, name, String(described.variant));
    const stable = TaskMetricSet.ofFlag(this.agentName, name, String(described.default));
    const scope = new Construct(this, name);
    for (const [gateName, gate] of Object.entries(flag._gates)) {
      const { alarm, critical } = createGateAlarm(scope, gateName, gate, {
        context: { agentName: this.agentName, candidate, stable },
        alarmAction: this.alarmAction,
        describe: ({ severity }) =>
          `Gate '${gateName}' of flag '${name}' of agent '${this.agentName}' (${severity === GateSeverity.CRITICAL ? 'critical, rolls a change of the flags back' : 'warning, does not stop a change'}), on tasks with '${described.variant}', compared with tasks with '${described.default}' in place of the stable lane`,
      });
      (critical ? this.critical : this.warning).push(alarm);
    }
    this.monitorCritical();
  }

  /** Lets the grantee read the flags. */
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
      defaults: Lazy.any({
        produce: () => Object.fromEntries([...this.descriptions].map(([name, flag]) => [name, flag.default])),
      }) as unknown as FlagSettings['defaults'],
    };
    return Stack.of(this).toJsonString(settings);
  }

  /**
   * A change of the flags waits for the promotion of a release in the same deployment: AppConfig does not roll a completed
   * deployment back when CloudFormation rolls the stack back, so the deployment must be the last step.
   *
   * @internal
   */
  _deployAfter(...others: IDependable[]): void {
    this.deployment.node.addDependency(...others);
  }

  /** AppConfig rolls a deployment back when one of these alarms is in ALARM. */
  private monitorCritical(): void {
    if (this.critical.length > MAX_MONITORS) {
      throw laneError(
        this,
        'TooManyFlagGates',
        `the flags must have at most ${MAX_MONITORS} critical gates, got ${this.critical.length}; AppConfig monitors no more alarms: make some of them GateSeverity.WARNING, or remove those of flags that are fully deployed`,
      );
    }
    if (this.critical.length === 0) {
      return;
    }
    // One role for all monitors:
    // https://docs.aws.amazon.com/appconfig/latest/userguide/getting-started-with-appconfig-cloudwatch-alarms-permissions.html
    this.monitorRole ??= new Role(this, 'MonitorRole', {
      description: 'AppConfig reads the alarms of the flags',
      assumedBy: new ServicePrincipal('appconfig.amazonaws.com'),
      inlinePolicies: {
        Alarms: new PolicyDocument({
          statements: [new PolicyStatement({ effect: Effect.ALLOW, actions: MONITOR_ACTIONS, resources: ['*'] })],
        }),
      },
    });
    const { roleArn } = this.monitorRole;
    (this.environment.node.defaultChild as CfnEnvironment).monitors = this.critical.map(({ alarmArn }) => ({
      alarmArn,
      alarmRoleArn: roleArn,
    }));
  }
}

/** Schema that AppConfig checks every configuration with, including one that is edited in its console. */
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
