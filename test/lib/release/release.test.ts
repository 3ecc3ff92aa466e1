import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duration, Lazy, Stack, Tags } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import fc from 'fast-check';
import { behaviorDocumentSchema, releaseIdOf, sha256 } from '../../../lib/contract';
import { Behavior, ModelSpec, Release, type WorkerDescription } from '../../../lib/release';
import { agentFolder, SMALL_AGENT, testBehavior, testModel } from '../../support/agent-folder';
import { testApp, testStack } from '../../support/stack';

const worker: WorkerDescription = {
  codeDigest: sha256('code'),
  settings: { kind: 'lambda', memoryMiB: '1024', timeoutSeconds: '300' },
  timeout: Duration.minutes(5),
  sources: [],
};

function release(behavior = testBehavior(), description = worker, stack = testStack()): Release {
  return new Release(stack, 'Release', { behavior, worker: description });
}

describe('release id', () => {
  test('is r- and 12 hexadecimal digits, and stays what it is', () => {
    // A change of this literal gives every agent a new release at the next upgrade of the library.
    expect(release().releaseId).toBe('r-3c4469c35dd1');
  });

  test('does not depend on the folder, the stack, tags, or neighbors', () => {
    const stack = new Stack(testApp(), 'Other');
    Tags.of(stack).add('team', 'support');
    new Queue(stack, 'Neighbor');
    expect(release(testBehavior(), { ...worker, sources: ['elsewhere'] }, stack).releaseId).toBe(release().releaseId);
  });

  const word = fc.stringMatching(/^[a-z]{1,8}$/);
  const contents = fc.record({
    prompts: fc.dictionary(word, fc.stringMatching(/^\S[ -~\n]{0,20}$/), { minKeys: 1, maxKeys: 4 }),
    tools: fc.dictionary(word, fc.dictionary(word, fc.oneof(fc.integer(), word, fc.boolean()), { maxKeys: 4 }), {
      maxKeys: 3,
    }),
    settings: fc.dictionary(word, word, { maxKeys: 4 }),
  });
  type Contents = typeof contents extends fc.Arbitrary<infer T> ? T : never;

  function idOf(files: [string, string][], settings: { [name: string]: string }): string {
    const behavior = Behavior.fromDirectory(agentFolder(Object.fromEntries(files)), { model: testModel() });
    return release(behavior, { ...worker, settings }, testStack()).releaseId;
  }

  function filesOf({ prompts, tools }: Contents, render: (tool: unknown) => string): [string, string][] {
    return [
      ...Object.entries(prompts).map(([name, text]): [string, string] => [`prompts/${name}.md`, text]),
      ...Object.entries(tools).map(([name, tool]): [string, string] => [`tools/${name}.json`, render(tool)]),
    ];
  }

  function reversed<T>(value: { [name: string]: T }): { [name: string]: T } {
    return Object.fromEntries(Object.entries(value).reverse());
  }

  test('depends on content only: not on the order of files and keys, nor on how JSON is written', () => {
    fc.assert(
      fc.property(contents, (content) => {
        const plain = idOf(
          filesOf(content, (tool) => JSON.stringify(tool)),
          content.settings,
        );
        const other = idOf(
          filesOf(
            content,
            (tool) => `${JSON.stringify(reversed(tool as { [name: string]: unknown }), null, '\t')}\n`,
          ).reverse(),
          reversed(content.settings),
        );
        expect(other).toBe(plain);
      }),
      { numRuns: 25 },
    );
  });

  test('differs whenever any of the content differs', () => {
    fc.assert(
      fc.property(contents, contents, (a, b) => {
        const same = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
        const write = (content: Contents) =>
          idOf(
            filesOf(content, (tool) => JSON.stringify(tool)),
            content.settings,
          );
        expect(write(a) === write(b)).toBe(same);
      }),
      { numRuns: 25 },
    );
  });

  function sorted(value: unknown): unknown {
    return typeof value === 'object' && value !== null
      ? Object.entries(value)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, member]) => [key, sorted(member)])
      : value;
  }

  const one = (): Release => release();
  test.each<[string, () => Release, string]>([
    [
      'one word of a prompt',
      () => release(testBehavior({ ...SMALL_AGENT, 'prompts/style.txt': 'Be curt.\n' })),
      'prompts',
    ],
    [
      'the name of a prompt',
      () => release(testBehavior({ ...rest('prompts/style.txt'), 'prompts/tone.txt': 'Be brief.\n' })),
      'prompts',
    ],
    ['a further tool', () => release(testBehavior({ ...SMALL_AGENT, 'tools/mail.json': '{}' })), 'tools'],
    ['a tool less', () => release(testBehavior(rest('tools/search.json'))), 'tools'],
    ['the model', () => release(withModel('claude-sonnet-4-6')), 'model'],
    ['the price', () => release(withModel('claude-haiku-4-5-20251001', 2)), 'model'],
    ['a limit', () => release(testBehavior(SMALL_AGENT, { maxToolCalls: 3 })), 'limits'],
    ['the duration', () => release(testBehavior(SMALL_AGENT, { maxDuration: Duration.seconds(20) })), 'limits'],
    [
      'the state schema',
      () => release(Behavior.fromDirectory(agentFolder(), { model: testModel(), stateSchema: 2 })),
      'state',
    ],
    ['the code', () => release(testBehavior(), { ...worker, codeDigest: sha256('other') }), 'code'],
    [
      'a setting of the worker',
      () => release(testBehavior(), { ...worker, settings: { ...worker.settings, memoryMiB: '512' } }),
      'worker',
    ],
  ])('changes with %s, and only that component does', (_, make, component) => {
    const [before, after] = [one(), make()];
    expect(after.releaseId).not.toBe(before.releaseId);
    const changed = Object.keys(before.componentDigests).filter(
      (name) => before.componentDigests[name] !== after.componentDigests[name],
    );
    expect(changed).toEqual([component]);
  });

  function rest(without: string): Record<string, string> {
    return Object.fromEntries(Object.entries(SMALL_AGENT).filter(([path]) => path !== without));
  }

  function withModel(id: string, input = 1): Behavior {
    const model = ModelSpec.anthropic(id, { price: { inputPerMillion: input, outputPerMillion: 5 } });
    return Behavior.fromDirectory(agentFolder(), { model });
  }
});

describe('behavior document', () => {
  test('is written to the assembly, valid, under a key of its content', () => {
    const app = testApp();
    const stack = new Stack(app, 'Test');
    const { releaseId, behaviorKey } = release(testBehavior(), worker, stack);
    // A template must have a resource.
    new LogGroup(stack, 'Neighbor', { retention: RetentionDays.ONE_DAY });
    const assembly = app.synth();
    const { files } = JSON.parse(readFileSync(join(assembly.directory, 'Test.assets.json'), 'utf8')) as {
      files: Record<string, { source: { path: string }; destinations: Record<string, { objectKey: string }> }>;
    };
    const file = Object.values(files).find(({ source }) => source.path.endsWith('.behavior'));
    expect(Object.values(file?.destinations ?? {}).map(({ objectKey }) => objectKey)).toEqual([behaviorKey]);
    const document = behaviorDocumentSchema.parse(
      JSON.parse(readFileSync(join(assembly.directory, file?.source.path ?? ''), 'utf8')),
    );
    expect(document.release).toBe(releaseId);
    expect(releaseIdOf(document.manifest)).toBe(releaseId);
    expect(document.prompts.answer).toBe('Answer the question {{question}}.\n');
    expect(document.limits).toEqual({
      maxToolCalls: 100,
      maxModelCalls: 50,
      maxSteps: 200,
      maxTokens: 500_000,
      maxCost: 1,
      maxDurationMs: 290_000,
    });
  });

  test('has the same key from another folder, and another key for another content', () => {
    expect(release().behaviorKey).toBe(release().behaviorKey);
    expect(release(testBehavior({ 'prompts/a.md': 'x' })).behaviorKey).not.toBe(release().behaviorKey);
  });

  test('can be read together with those of other releases, and with nothing else', () => {
    const stack = testStack();
    const role = new Role(stack, 'Role', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    release(testBehavior(), worker, stack).grantRead(role);
    Template.fromStack(stack).hasResourceProperties('AWS::IAM::Policy', {
      PolicyDocument: {
        Statement: [
          {
            Action: 's3:GetObject',
            Effect: 'Allow',
            Resource: { 'Fn::Join': ['', Match.arrayWith([Match.stringLikeRegexp('/\\*\\.behavior$')])] },
          },
        ],
      },
    });
  });

  test('refuses more than 1 MiB', () => {
    const behavior = testBehavior({ 'prompts/a.md': 'x'.repeat(1024 * 1024) });
    expect(() => release(behavior)).toThrow(
      /\[Test\/Release\] TooLargeBehavior: behavior of .* is \d+ bytes as JSON: expected at most 1048576/,
    );
  });
});

describe('limits', () => {
  test('may exceed what one invocation of the worker has, up to 12 hours', () => {
    const at = (maxDuration: Duration) => release(testBehavior(SMALL_AGENT, { maxDuration }));
    expect(at(Duration.hours(12)).releaseId).not.toBe(at(Duration.seconds(290)).releaseId);
    expect(() => at(Duration.minutes(721))).toThrow(
      /InvalidMaxDuration: limits\.maxDuration is 12 hours 1 minute: expected at most 12 hours/,
    );
  });

  test('leave, by default, the worker 10 seconds of its timeout', () => {
    const explicit = testBehavior(SMALL_AGENT, { maxDuration: Duration.seconds(290) });
    expect(release(testBehavior(SMALL_AGENT)).releaseId).toBe(release(explicit).releaseId);
  });

  test.each([
    [{ maxToolCalls: 0 }, 'maxToolCalls'],
    [{ maxModelCalls: 1.5 }, 'maxModelCalls'],
    [{ maxSteps: 0 }, 'maxSteps'],
    [{ maxTokens: -1 }, 'maxTokens'],
    [{ maxCost: 0 }, 'maxCost'],
    [{ maxDuration: Duration.seconds(0) }, 'maxDurationMs'],
  ])('refuses %j', (limits, path) => {
    expect(() => release(testBehavior(SMALL_AGENT, limits))).toThrow(new RegExp(`InvalidLimits: .*${path}: `));
  });

  test('refuses a timeout that leaves a task no time', () => {
    expect(() => release(testBehavior(), { ...worker, timeout: Duration.seconds(10) })).toThrow(
      /InvalidLimits: .*raise the worker's timeout of 10 s above 10 s/,
    );
  });

  test('refuses tokens', () => {
    const number = Lazy.number({ produce: () => 1 });
    expect(() => release(testBehavior(SMALL_AGENT, { maxCost: number }))).toThrow(/UnresolvedLimits/);
    expect(() => release(testBehavior(SMALL_AGENT, { maxDuration: Duration.seconds(number) }))).toThrow(
      /UnresolvedLimits/,
    );
  });
});
