import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Size, type Stack, Tags } from 'aws-cdk-lib';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import {
  AgentImage,
  type AgentServiceProps,
  FargateCapacity,
  type FargateWorkerOptions,
  WorkerSpec,
} from '../../../lib';
import { Env } from '../../../lib/contract';
import { AGENT_ENTRY, behaviorCopy, supportAgent } from '../../support/agent-service';
import { testStack } from '../../support/stack';
import { difference, named, type Resources, resourcesOf, shortName } from '../../support/template';

interface Synthesized {
  readonly resources: Resources;
  readonly release: string;
  /** What the router, and the record of the release, are told of the worker. */
  readonly version: unknown;
}

function synthesize(
  worker: Partial<FargateWorkerOptions> = {},
  props: Partial<AgentServiceProps> = {},
  behavior?: string,
  also?: (stack: Stack) => void,
): Synthesized {
  const stack = testStack();
  const source = worker.image === undefined ? { entry: AGENT_ENTRY } : {};
  const agent = supportAgent(stack, { worker: WorkerSpec.fargate({ ...source, ...worker }), ...props }, behavior);
  also?.(stack);
  const resources = resourcesOf(stack);
  const router = resources[named(resources, 'SupportIntakeRouter')]?.Properties?.Environment as {
    Variables: Record<string, unknown>;
  };
  const version = router.Variables[Env.WORKER_VERSION];
  for (const record of ['ReleaseRecord', 'PromotedRecord']) {
    expect(resources[named(resources, `SupportRollout${record}`)]?.Properties?.WorkerVersion).toEqual(version);
  }
  return { resources, release: agent.release.releaseId, version };
}

/** The commit that touched the agent last is no part of the release: a comment makes another commit. */
function withoutProvenance(resources: Resources): Resources {
  return Object.fromEntries(
    Object.entries(resources).map(([id, resource]) => {
      const kept = Object.entries(resource.Properties ?? {}).filter(([name]) => !name.startsWith('Git'));
      return [id, { ...resource, Properties: Object.fromEntries(kept) }];
    }),
  );
}

/** What another worker of the same release changes: the router, and so all that shifts users. */
const WAY_OF_A_WORKER = [
  'SupportIntakeRouter',
  'SupportRolloutReleaseRecord',
  'SupportIntakeLive',
  'SupportRolloutRolloutCheck',
  'SupportRolloutPromotedRecord',
];

/** The same, and what names the release beside it; the services follow their task definitions, which keep their ids. */
const CHANGED_BY_A_RELEASE = [
  ...WAY_OF_A_WORKER,
  'SupportWorkerCandidateTasks',
  'SupportWorkerStableTasks',
  'SupportRolloutPreflight',
  'SupportRolloutEvidence',
  'SupportGatescost',
  'SupportGateslatency',
  'SupportGateserrors',
  'SupportGatestoolCalls',
  'SupportGatesquality',
  'SupportDashboard',
];

/** The only resource that is replaced by one of another id: a version is immutable. */
const REPLACED_BY_A_RELEASE = ['SupportIntakeRouterCurrentVersion'];

const before = synthesize();

describe('a change of one word in a prompt', () => {
  const folder = behaviorCopy();
  const prompt = join(folder, 'prompts', 'answer.md');
  writeFileSync(prompt, readFileSync(prompt, 'utf8').replace('Answer', 'Ponder'));
  const after = synthesize({}, {}, folder);

  test('is another release on another worker', () => {
    expect(after.release).not.toBe(before.release);
    expect(after.version).not.toBe(before.version);
  });

  test('changes exactly what carries or watches a release: nothing of the network, the services or their scaling', () => {
    expect(difference(before.resources, after.resources)).toEqual({
      changed: [...CHANGED_BY_A_RELEASE].sort(),
      added: REPLACED_BY_A_RELEASE,
      removed: REPLACED_BY_A_RELEASE,
    });
  });
});

describe('a change of a task definition', () => {
  test.each<[string, Partial<FargateWorkerOptions>]>([
    ['memory', { memorySize: Size.gibibytes(2) }],
    ['cpu', { cpu: 256 }],
    ['an environment value', { environment: { TEAM: 'support' } }],
    ['concurrency', { concurrency: 3 }],
    ['the base image', { baseImage: `registry.example.com/node@sha256:${'c'.repeat(64)}` }],
  ])('(%s) is another release and goes the same way', (_, worker) => {
    const after = synthesize(worker);
    expect(after.release).not.toBe(before.release);
    expect(after.version).not.toBe(before.version);
    const { changed, added, removed } = difference(before.resources, after.resources);
    expect(changed).toEqual(expect.arrayContaining(CHANGED_BY_A_RELEASE));
    expect(added).toEqual(REPLACED_BY_A_RELEASE);
    expect(removed).toEqual(REPLACED_BY_A_RELEASE);
  });

  test('(the sidecar of an agent with an image of its own) goes the same way', () => {
    const image = AgentImage.digest(`public.ecr.aws/acme/agent@sha256:${'a'.repeat(64)}`);
    const sidecar = (digit: string) => AgentImage.digest(`registry.example.com/worker@sha256:${digit.repeat(64)}`);
    const first = synthesize({ image, workerImage: sidecar('1') });
    const after = synthesize({ image, workerImage: sidecar('2') });
    expect(after.version).not.toBe(first.version);
    expect(after.release).not.toBe(first.release);
    const { changed } = difference(first.resources, after.resources);
    expect(changed).toEqual([...CHANGED_BY_A_RELEASE].sort());
  });

  test('(the shares of the queues) is no other release, and goes through the valve all the same', () => {
    const after = synthesize({ priorityShares: { high: 0.2, normal: 0.2, low: 0.6 } });
    expect(after.release).toBe(before.release);
    expect(after.version).not.toBe(before.version);
    expect(difference(before.resources, after.resources)).toEqual({
      changed: [...WAY_OF_A_WORKER, 'SupportWorkerCandidateTasks', 'SupportWorkerStableTasks'].sort(),
      added: REPLACED_BY_A_RELEASE,
      removed: REPLACED_BY_A_RELEASE,
    });
  });
});

test('another kind of capacity goes through the valve', () => {
  const after = synthesize({ capacity: FargateCapacity.mix() });
  expect(after.release).toBe(before.release);
  expect(difference(before.resources, after.resources)).toEqual({
    changed: [...WAY_OF_A_WORKER, 'SupportWorkerCandidateService', 'SupportWorkerStableService'].sort(),
    added: REPLACED_BY_A_RELEASE,
    removed: REPLACED_BY_A_RELEASE,
  });
});

describe('what is no change of the worker', () => {
  test('scaling changes the scaling, and what shows it', () => {
    const after = synthesize({ scaling: { max: 30, backlogPerWorker: 5 } });
    expect(after.version).toBe(before.version);
    const { changed, added, removed } = difference(before.resources, after.resources);
    expect([...added, ...removed]).toEqual([]);
    expect(changed.filter((name) => !/^SupportWorker(Stable|Candidate)Scaling/.test(name))).toEqual([
      'SupportDashboard',
    ]);
  });

  test('an unrelated construct adds itself and changes nothing else', () => {
    const after = synthesize({}, {}, undefined, (stack) => {
      new Queue(stack, 'Unrelated');
    });
    expect(difference(before.resources, after.resources)).toEqual({ changed: [], added: ['Unrelated'], removed: [] });
  });

  test('a tag changes no logical id, no version and no release', () => {
    const after = synthesize({}, {}, undefined, (stack) => Tags.of(stack).add('team', 'support'));
    expect(Object.keys(after.resources)).toEqual(Object.keys(before.resources));
    expect(after).toMatchObject({ release: before.release, version: before.version });
    const { changed } = difference(before.resources, after.resources);
    expect(changed).not.toContain('SupportIntakeLive');
    expect(changed).not.toContain('SupportRolloutReleaseRecord');
  });

  test('another place of the same files, and a comment in the code, change nothing but where the release came from', () => {
    const folder = behaviorCopy();
    // Packages that the agent imports are looked for above its file: here they are the repository's.
    symlinkSync(join(__dirname, '..', '..', '..', 'node_modules'), join(folder, 'node_modules'));
    // Whether a module says that it is strict is said by the nearest of these.
    writeFileSync(join(folder, 'tsconfig.json'), '{ "compilerOptions": { "strict": true } }');
    const entry = join(folder, 'agent.ts');
    writeFileSync(entry, `// A comment.\n${readFileSync(AGENT_ENTRY, 'utf8')}`);
    const after = synthesize({ entry }, {}, folder);
    expect(after.release).toBe(before.release);
    expect(difference(withoutProvenance(before.resources), withoutProvenance(after.resources))).toEqual({
      changed: [],
      added: [],
      removed: [],
    });
  });

  test('deploying the same again changes nothing', () => {
    expect(synthesize().resources).toEqual(before.resources);
  });
});

test('short names are unique, so that the lists above name one resource each', () => {
  const names = Object.keys(before.resources).map(shortName);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});
