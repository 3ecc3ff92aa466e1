import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Stack } from 'aws-cdk-lib';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { AgentService, Behavior, ModelSpec, QualityGate, WorkerSpec } from '../../../lib';
import { testApp } from '../../support/stack';
import { APP } from '../app';
import { Installation, ROOT } from '../installation';

jest.setTimeout(600_000);

/** A virtual environment with aws-cdk-lib, which `npm run python` creates. */
const PYTHON = join(ROOT, 'node_modules/.cache/python/bin/python');

const PYTHON_APP = `
import aws_cdk as cdk
from aws_cdk import aws_secretsmanager as secretsmanager
import cdk_agent_lanes as lanes

app = cdk.App()
stack = cdk.Stack(app, "Support")
agent = lanes.AgentService(
    stack,
    "Agent",
    behavior=lanes.Behavior.from_directory(
        "agent",
        model=lanes.ModelSpec.anthropic(
            "claude-sonnet-4-5-20250929",
            price=lanes.ModelPrice(input_per_million=3, output_per_million=15),
        ),
        state_schema=1,
    ),
    worker=lanes.WorkerSpec.lambda_(entry="agent/agent.ts"),
    secrets={"anthropic": secretsmanager.Secret(stack, "AnthropicKey")},
    gates={"errors": lanes.QualityGate.error_rate(max=0.05)},
)
resources = app.synth().get_stack_by_name("Support").template["Resources"]
print(agent.release.release_id, len(resources))
`;

function run(program: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` },
  });
  if (status !== 0) {
    throw new Error(`${program} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
  }
  return stdout;
}

const python = existsSync(PYTHON) ? test : test.skip;
if (!existsSync(PYTHON)) {
  console.warn(`no Python environment in ${PYTHON}: "npm run python" creates it; the test of the wheel is skipped`);
}

python('a stack in Python has the release and the resources that it has in TypeScript', () => {
  const wheels = mkdtempSync(join(tmpdir(), 'cdk-agent-lanes-wheel-'));
  const app = new Installation();
  try {
    run(process.execPath, ['--import', 'tsx', 'scripts/jsii.ts', '--wheel', wheels], ROOT);
    const [wheel = ''] = readdirSync(wheels);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '--force-reinstall'];
    run(PYTHON, [...pip, join(wheels, wheel)], ROOT);
    // The agent is a module of JavaScript beside the Python app: the project needs the bundler and what the agent imports.
    app.link('esbuild', 'zod');
    app.write({ ...APP, 'app.py': PYTHON_APP });
    const [release, resources] = run(PYTHON, ['app.py'], app.directory).trim().split(' ');

    const stack = new Stack(testApp({}), 'Support');
    const service = new AgentService(stack, 'Agent', {
      behavior: Behavior.fromDirectory(join(app.directory, 'agent'), {
        model: ModelSpec.anthropic('claude-sonnet-4-5-20250929', {
          price: { inputPerMillion: 3, outputPerMillion: 15 },
        }),
        stateSchema: 1,
      }),
      worker: WorkerSpec.lambda({ entry: join(app.directory, 'agent/agent.ts') }),
      secrets: { anthropic: new Secret(stack, 'AnthropicKey') },
      gates: { errors: QualityGate.errorRate({ max: 0.05 }) },
    });
    expect(release).toBe(service.release.releaseId);
    expect(Number(resources)).toBeGreaterThan(80);
  } finally {
    app.remove();
    rmSync(wheels, { recursive: true, force: true });
  }
});
