import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Stack } from 'aws-cdk-lib';
import { SubnetType, Vpc } from 'aws-cdk-lib/aws-ec2';
import { AgentService, Behavior, FargateNetwork, ModelSpec, WorkerSpec } from 'cdk-agent-lanes';
import type { NetworkParts } from './fargate-costs';
import { type Metered, metricsOf } from './standing-parts';

/** What of a stack with workers on Fargate is paid by the month while no worker runs. */
export interface FargateParts {
  readonly networks: readonly NetworkParts[];
  /** Metrics in the alarms that start and stop workers, of both lanes. */
  readonly scalingMetrics: number;
}

interface Template {
  readonly Resources: Readonly<Record<string, { readonly Type: string; readonly Properties?: Metered }>>;
}

/** An agent that is served by Bedrock, as an isolated network needs it, and has no secret. */
function templateOf(folder: string, network: (stack: Stack) => FargateNetwork): Template {
  const app = new App({ outdir: join(folder, 'cdk.out'), analyticsReporting: false });
  const stack = new Stack(app, 'Costs', { env: { account: '123456789012', region: 'us-east-1' } });
  new AgentService(stack, 'Agent', {
    agentName: 'costs',
    behavior: Behavior.fromDirectory(folder, {
      model: ModelSpec.bedrock('anthropic.claude-haiku-4-5-20251001-v1:0', {
        price: { inputPerMillion: 1, outputPerMillion: 5 },
      }),
    }),
    worker: WorkerSpec.fargate({ entry: join(__dirname, 'overhead', 'agent.ts'), network: network(stack) }),
  });
  return app.synth().getStackByName('Costs').template as Template;
}

/** Counts what each choice of network brings, in the templates that it gives. */
export function fargateParts(): FargateParts {
  const folder = mkdtempSync(join(tmpdir(), 'agent-lanes-costs-'));
  try {
    mkdirSync(join(folder, 'prompts'));
    writeFileSync(join(folder, 'prompts', 'none.md'), 'This agent asks nothing.\n');
    const publicSubnets = templateOf(folder, () => FargateNetwork.publicSubnets());
    const isolated = templateOf(folder, () => FargateNetwork.isolated());
    const withNat = templateOf(folder, (stack) =>
      FargateNetwork.vpc(new Vpc(stack, 'Vpc', { maxAzs: 2, natGateways: 2 }), {
        subnets: { subnetType: SubnetType.PRIVATE_WITH_EGRESS },
      }),
    );
    return {
      networks: [
        partsOf('public subnets (the default)', publicSubnets, true),
        partsOf('isolated, with endpoints', isolated, false),
        partsOf('for comparison: private subnets of your own behind NAT gateways', withNat, false),
      ],
      scalingMetrics: resourcesOf(publicSubnets, 'AWS::CloudWatch::Alarm')
        .filter(([id]) => /Scaling/.test(id))
        .reduce((sum, [, properties]) => sum + metricsOf(properties), 0),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function partsOf(name: string, template: Template, publicAddress: boolean): NetworkParts {
  const interfaces = resourcesOf(template, 'AWS::EC2::VPCEndpoint').filter(
    ([, { VpcEndpointType }]) => VpcEndpointType === 'Interface',
  );
  const zones = new Set(interfaces.map(([, { SubnetIds }]) => (Array.isArray(SubnetIds) ? SubnetIds.length : 0)));
  if (zones.size > 1) {
    throw new Error(`endpoints of network "${name}" are in different numbers of zones: expected the same for all`);
  }
  return {
    name,
    interfaceEndpoints: interfaces.length,
    zones: [...zones][0] ?? 0,
    natGateways: resourcesOf(template, 'AWS::EC2::NatGateway').length,
    publicAddress,
  };
}

function resourcesOf({ Resources }: Template, type: string): readonly (readonly [string, Metered])[] {
  return Object.entries(Resources).flatMap(([id, { Type, Properties = {} }]) =>
    Type === type ? [[id, Properties] as const] : [],
  );
}
