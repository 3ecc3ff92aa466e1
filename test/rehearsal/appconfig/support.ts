import type { AlarmView, MetricsPort } from '../../../rehearsal/core/ports';
import { type AppConfig, createAppConfig } from '../../../rehearsal/services/appconfig';
import { ManualClock } from '../../support/manual-clock';
import { Resource, type Rig, roleArn, stackContext, startRig } from '../api-server/support';

export const ALARM = 'arn:aws:cloudwatch:us-east-1:123456789012:alarm:flag';

/** AppConfig in a cloud of its own, with a clock that tests move and an alarm that they set. */
export class AppConfigWorld {
  readonly clock = new ManualClock();
  alarm: AlarmView['state'] = 'OK';
  /** Which callers a growing deployment reaches first; the last one is used again and again. */
  draws: number[] = [0];
  private readonly counts = { version: 0 };

  static async start(): Promise<AppConfigWorld> {
    const world = new AppConfigWorld();
    world.rig = await startRig((iam) => {
      iam.putRole({
        arn: roleArn('monitor'),
        name: 'monitor',
        trust: {
          Statement: { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'appconfig.amazonaws.com' } },
        },
        inline: { a: { Statement: { Effect: 'Allow', Action: 'cloudwatch:DescribeAlarms', Resource: '*' } } },
        managedArns: [],
      });
      const alarm = () => ({
        name: 'flag',
        arn: ALARM,
        state: world.alarm,
        reason: 'because',
        threshold: 1,
        value: 2,
        hadData: true,
      });
      const metrics = { alarm, alarms: () => [alarm()], put: () => {}, ingestLogLine: () => {} } as MetricsPort;
      world.appConfig = createAppConfig({
        clock: world.clock,
        iam,
        metrics,
        random: () => (world.draws.length > 1 ? world.draws.shift() : world.draws[0]) ?? 0,
      });
      return [world.appConfig.service];
    });
    return world;
  }

  rig!: Rig;
  appConfig!: AppConfig;
  application = '';
  environment = '';
  profile = '';
  strategy = '';

  /** Everything but a deployment. @param growth percent of a step; the growth takes ten minutes, the bake five */
  async prepare({ growth = 50, validators = [] as string[], role = roleArn('monitor') } = {}): Promise<void> {
    this.application = await this.create('Application', { Name: 'app' });
    this.environment = await this.create('Environment', {
      ApplicationId: this.application,
      Name: 'env',
      Monitors: [{ AlarmArn: ALARM, AlarmRoleArn: role }],
    });
    this.profile = await this.create('ConfigurationProfile', {
      ApplicationId: this.application,
      LocationUri: 'hosted',
      Name: 'flags',
      Validators: validators.map((Content) => ({ Content, Type: 'JSON_SCHEMA' })),
    });
    this.strategy = await this.create('DeploymentStrategy', {
      DeploymentDurationInMinutes: 10,
      FinalBakeTimeInMinutes: 5,
      GrowthFactor: growth,
      GrowthType: 'LINEAR',
      Name: 'growth',
      ReplicateTo: 'NONE',
    });
  }

  /** Begins to deploy the document. */
  async begin(document: unknown): Promise<{ readonly done: Promise<string> }> {
    this.counts.version += 1;
    const version = await this.create('HostedConfigurationVersion', {
      ApplicationId: this.application,
      ConfigurationProfileId: this.profile,
      Content: JSON.stringify(document),
      ContentType: 'application/json',
      Description: `${this.counts.version}`,
    });
    const done = this.create('Deployment', {
      ApplicationId: this.application,
      ConfigurationProfileId: this.profile,
      ConfigurationVersion: version,
      DeploymentStrategyId: this.strategy,
      EnvironmentId: this.environment,
    });
    done.catch(() => undefined);
    await this.clock.advance(0);
    return { done };
  }

  /** Deploys the document to its end. */
  async deploy(document: unknown): Promise<void> {
    const { done } = await this.begin(document);
    await this.clock.advance(16 * 60_000);
    await done;
  }

  async create(kind: string, properties: Readonly<Record<string, unknown>>): Promise<string> {
    const resource = Resource.of(this.appConfig.handlers, `AWS::AppConfig::${kind}`, kind);
    const { ref, physicalId } = await resource.create(properties);
    return ref ?? physicalId;
  }

  async stop(): Promise<void> {
    this.appConfig.stop();
    await this.rig.stop();
  }
}

export { stackContext };
