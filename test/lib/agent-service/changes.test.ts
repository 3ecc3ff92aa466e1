import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duration, Size, type Stack, Tags } from 'aws-cdk-lib';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { type AgentServiceProps, Rollout, TrafficShift, WorkerSpec } from '../../../lib';
import { AGENT_ENTRY, behaviorCopy, supportAgent } from '../../support/agent-service';
import { testStack } from '../../support/stack';
import { difference, type Resources, resourcesOf, shortName } from '../../support/template';

interface Synthesized {
  readonly resources: Resources;
  readonly release: string;
}

function synthesize(
  props: Partial<AgentServiceProps> = {},
  behavior?: string,
  also?: (stack: Stack) => void,
): Synthesized {
  const stack = testStack();
  const agent = supportAgent(stack, props, behavior);
  also?.(stack);
  return { resources: resourcesOf(stack), release: agent.release.releaseId };
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

/** What a release changes in place, in the order of the rollout. */
const CHANGED_BY_A_RELEASE = [
  // its document and its id, in the environments of those who must know
  'SupportWorkerFunction',
  'SupportIntakeRouter',
  'SupportRolloutPreflight',
  'SupportRolloutEvidence',
  // what is watched
  'SupportGatescost',
  'SupportGateslatency',
  'SupportGateserrors',
  'SupportGatestoolCalls',
  'SupportGatesquality',
  'SupportDashboard',
  // the way of the release
  'SupportRolloutReleaseRecord',
  'SupportWorkerCandidateAlias',
  'SupportIntakeLive',
  'SupportRolloutRolloutCheck',
  'SupportWorkerStableAlias',
  'SupportRolloutPromotedRecord',
];

/** The only resources that a release replaces: versions are immutable. */
const REPLACED_BY_A_RELEASE = ['SupportIntakeRouterCurrentVersion', 'SupportWorkerFunctionCurrentVersion'];

const before = synthesize();

describe('a change of one word in a prompt', () => {
  const folder = behaviorCopy();
  const prompt = join(folder, 'prompts', 'answer.md');
  writeFileSync(prompt, readFileSync(prompt, 'utf8').replace('Answer', 'Ponder'));
  const after = synthesize({}, folder);

  test('is another release', () => {
    expect(after.release).not.toBe(before.release);
  });

  test('changes exactly what carries or watches a release, and replaces the two versions alone', () => {
    expect(difference(before.resources, after.resources)).toEqual({
      changed: [...CHANGED_BY_A_RELEASE].sort(),
      added: REPLACED_BY_A_RELEASE,
      removed: REPLACED_BY_A_RELEASE,
    });
  });
});

describe('a change of the worker', () => {
  test('is another release and goes the same way', () => {
    const after = synthesize({ worker: WorkerSpec.lambda({ entry: AGENT_ENTRY, memorySize: Size.mebibytes(2048) }) });
    expect(after.release).not.toBe(before.release);
    const { changed, added } = difference(before.resources, after.resources);
    expect(changed).toEqual([...CHANGED_BY_A_RELEASE].sort());
    expect(added).toEqual(REPLACED_BY_A_RELEASE);
  });
});

describe('what is no change of behavior', () => {
  test('an unrelated construct adds itself and changes nothing else', () => {
    const after = synthesize({}, undefined, (stack) => {
      new Queue(stack, 'Unrelated');
    });
    expect(difference(before.resources, after.resources)).toEqual({ changed: [], added: ['Unrelated'], removed: [] });
    expect(after.release).toBe(before.release);
  });

  test('a tag changes no logical id, no version and no release', () => {
    const after = synthesize({}, undefined, (stack) => Tags.of(stack).add('team', 'support'));
    expect(Object.keys(after.resources)).toEqual(Object.keys(before.resources));
    expect(after.release).toBe(before.release);
    const { changed } = difference(before.resources, after.resources);
    expect(changed).not.toContain('SupportIntakeLive');
    expect(changed).not.toContain('SupportRolloutReleaseRecord');
  });

  test('another place of the same files, and a comment in the code, change nothing but where the release came from', () => {
    const folder = behaviorCopy();
    // Packages that the agent imports are looked for above its file: here they are the repository's.
    symlinkSync(join(__dirname, '..', '..', '..', 'node_modules'), join(folder, 'node_modules'));
    const entry = join(folder, 'agent.ts');
    writeFileSync(entry, `// A comment.\n${readFileSync(AGENT_ENTRY, 'utf8')}`);
    const after = synthesize({ worker: WorkerSpec.lambda({ entry }) }, folder);
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

  test('fewer gates and another bake time are no release', () => {
    const rollout = Rollout.codeDeploy(TrafficShift.canary({ percentage: 10, bakeTime: Duration.minutes(15) }));
    const after = synthesize({ gates: {}, rollout });
    expect(after.release).toBe(before.release);
    expect(difference(before.resources, after.resources).removed.every((id) => id.startsWith('SupportGates'))).toBe(
      true,
    );
  });
});

test('short names are unique, so that the lists above name one resource each', () => {
  const names = Object.keys(before.resources).map(shortName);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});
