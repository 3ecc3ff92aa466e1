// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of Fn::Sub are written like that
import { ResourceFailure } from '../../../rehearsal/core/resource';
import { NotRehearsable } from '../../../rehearsal/services/cloudformation/model';
import { thing, world } from './support';

const ref = (id: string) => ({ Ref: id });
const att = (id: string, name = 'Arn') => ({ 'Fn::GetAtt': [id, name] });

describe('create', () => {
  test('makes every resource after the ones it needs, by reference and by DependsOn', async () => {
    const w = world();
    const result = await w.deploy(
      {
        C: thing({ Value: att('B') }),
        B: thing({ Value: { 'Fn::Sub': '${A}/x' } }),
        A: thing(),
        D: thing({}, { DependsOn: 'C' }),
      },
      { Outputs: { Last: { Value: att('C', 'Value') } } },
    );
    expect(w.log).toEqual(['create A', 'create B', 'create C', 'create D']);
    expect(result).toMatchObject({ status: 'CREATE_COMPLETE', outputs: { Last: 'arn:B-1' } });
    expect(result.changes.map(({ action, logicalId }) => `${action} ${logicalId}`)).toEqual([
      'create A',
      'create B',
      'create C',
      'create D',
    ]);
  });

  test('works on independent resources at the same time, up to its bound', async () => {
    const w = world({ parallelism: 2 });
    let running = 0;
    let most = 0;
    w.behave(async () => {
      running++;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running--;
    });
    await w.deploy({ A: thing(), B: thing(), C: thing(), D: thing() });
    expect(most).toBe(2);
  });

  test('that fails deletes everything again in reverse order, and the next attempt begins with no resource', async () => {
    const w = world();
    w.behave((operation, id) => {
      if (operation === 'create' && id === 'C') {
        throw new ResourceFailure('no room');
      }
    });
    const template = {
      A: thing(),
      B: thing({ Needs: ref('A') }),
      C: thing({ Needs: ref('B') }),
      D: thing({ Needs: ref('C') }),
    };
    const result = await w.deploy(template);
    expect(result).toMatchObject({
      status: 'ROLLBACK_COMPLETE',
      reason: 'C: no room',
      failedResource: { logicalId: 'C', type: 'Test::Thing' },
    });
    expect(w.takeLog()).toEqual(['create A', 'create B', 'create C', 'delete B-1', 'delete A-1']);
    expect(w.things.size).toBe(0);
    w.behave(() => undefined);
    await expect(w.deploy(template)).resolves.toMatchObject({ status: 'CREATE_COMPLETE' });
  });

  test('that fails keeps what is to be retained, but not what is to be retained except on create', async () => {
    const w = world();
    w.behave((operation, id) => {
      if (operation === 'create' && id === 'C') {
        throw new ResourceFailure('no room');
      }
    });
    await w.deploy({
      A: thing({}, { DeletionPolicy: 'Retain' }),
      B: thing({}, { DeletionPolicy: 'RetainExceptOnCreate' }),
      C: thing({}, { DependsOn: ['A', 'B'] }),
    });
    expect([...w.things.keys()]).toEqual(['A-1']);
  });
});

describe('update', () => {
  test('without any change is no operation at all', async () => {
    const w = world();
    await w.deploy({ A: thing({ Value: 1, Tags: [] }) });
    w.takeLog();
    const before = w.events.length;
    // The order of members does not matter.
    const result = await w.deploy({ A: thing({ Tags: [], Value: 1 }) });
    expect(result).toMatchObject({ status: 'NO_CHANGES', changes: [], events: [] });
    expect(w.log).toEqual([]);
    expect(w.events).toHaveLength(before);
  });

  test('of metadata alone touches no resource', async () => {
    const w = world();
    await w.deploy({ A: thing({ Value: 1 }, { Metadata: { 'aws:asset:path': 'asset.1' } }) });
    w.takeLog();
    const result = await w.deploy({ A: thing({ Value: 1 }, { Metadata: { 'aws:asset:path': 'asset.2' } }) });
    expect(result).toMatchObject({ status: 'UPDATE_COMPLETE', changes: [] });
    expect(w.log).toEqual([]);
  });

  test('touches what changed and what a new value reaches, nothing else', async () => {
    const w = world();
    const template = (value: number) => ({
      A: thing({ Value: value }),
      B: thing({ Value: att('A', 'Value') }),
      C: thing({ Value: ref('A') }),
      D: thing({}, { DependsOn: 'A' }),
    });
    await w.deploy(template(1));
    w.takeLog();
    const result = await w.deploy(template(2));
    expect(w.log).toEqual(['update A', 'update B']);
    expect(result.changes).toEqual([
      { logicalId: 'A', path: 'A', type: 'Test::Thing', action: 'update', replaced: false, properties: ['Value'] },
      { logicalId: 'B', path: 'B', type: 'Test::Thing', action: 'update', replaced: false, properties: ['Value'] },
    ]);
  });

  test('replaces where the handler says so, and cleans up last, dependents first', async () => {
    const w = world();
    const template = (key: string) => ({
      A: thing({ Key: key }),
      B: thing({ Key: ref('A') }),
      C: thing({ Value: ref('B') }),
    });
    await w.deploy(template('x'));
    w.takeLog();
    const result = await w.deploy(template('y'));
    expect(w.log).toEqual(['create A', 'create B', 'update C', 'delete B-1', 'delete A-1']);
    expect(result.changes.map(({ logicalId, action, replaced }) => ({ logicalId, action, replaced }))).toEqual([
      { logicalId: 'A', action: 'replace', replaced: true },
      { logicalId: 'B', action: 'replace', replaced: true },
      { logicalId: 'C', action: 'update', replaced: false },
    ]);
  });

  test('removes what the template no longer has at the very end', async () => {
    const w = world();
    await w.deploy({ A: thing(), B: thing({ Needs: ref('A') }), C: thing() });
    w.takeLog();
    const result = await w.deploy({ C: thing(), D: thing() });
    expect(w.log).toEqual(['create D', 'delete B-1', 'delete A-1']);
    expect(result.changes.filter(({ action }) => action === 'remove').map(({ logicalId }) => logicalId)).toEqual([
      'B',
      'A',
    ]);
  });

  test('keeps what is to be retained: removed ones, and replaced ones by their own policy', async () => {
    const w = world();
    await w.deploy({
      A: thing({}, { DeletionPolicy: 'Retain' }),
      B: thing({}, { DeletionPolicy: 'RetainExceptOnCreate' }),
      C: thing({ Key: 1 }, { UpdateReplacePolicy: 'Retain' }),
      D: thing({ Key: 1 }, { DeletionPolicy: 'Retain' }),
    });
    const result = await w.deploy({
      C: thing({ Key: 2 }, { UpdateReplacePolicy: 'Retain' }),
      D: thing({ Key: 2 }, { DeletionPolicy: 'Retain' }),
    });
    expect([...w.things.keys()]).toEqual(['A-1', 'B-1', 'C-1', 'C-2', 'D-2']);
    expect(result.changes.filter(({ action }) => action === 'retain').map(({ logicalId }) => logicalId)).toEqual([
      'A',
      'B',
    ]);
  });

  test('continues when the clean-up fails', async () => {
    const w = world();
    await w.deploy({ A: thing(), B: thing({ Needs: ref('A') }) });
    w.behave((operation, id) => {
      if (operation === 'delete' && id === 'B') {
        throw new ResourceFailure('in use');
      }
    });
    const result = await w.deploy({ C: thing() });
    expect(result.status).toBe('UPDATE_COMPLETE');
    expect(result.events).toContainEqual(expect.objectContaining({ status: 'DELETE_FAILED', reason: 'in use' }));
    expect([...w.things.keys()]).toEqual(['B-1', 'C-1']);
  });

  test('fails where a logical id changes its type', async () => {
    const w = world();
    await w.deploy({ A: thing() });
    const result = await w.deploy({ A: { Type: 'AWS::CDK::Metadata', Properties: { Analytics: 'v2' } } });
    expect(result).toMatchObject({
      status: 'UPDATE_ROLLBACK_COMPLETE',
      reason: expect.stringContaining('not permitted'),
    });
  });
});

describe('an update that fails', () => {
  const chain = (value: number, key = 'k', extra: Record<string, unknown> = {}) => ({
    A: thing({ Value: value }),
    B: thing({ Value: value, Needs: ref('A') }),
    R: thing({ Key: key, Needs: ref('B') }),
    C: thing({ Value: value, Needs: ref('R') }),
    ...extra,
  });

  function failOn(id: string, operation: 'create' | 'update' = 'update') {
    return (now: string, resource: string, rollback: boolean) => {
      if (now === operation && resource === id && !rollback) {
        throw new ResourceFailure('it broke');
      }
    };
  }

  test('is rolled back dependents first, then the created resources are deleted', async () => {
    const w = world();
    await w.deploy(chain(1));
    w.takeLog();
    w.behave(failOn('C'));
    const result = await w.deploy(chain(2, 'k2', { N: thing({}, { DependsOn: 'B' }) }));
    expect(result).toMatchObject({ status: 'UPDATE_ROLLBACK_COMPLETE', reason: 'C: it broke' });
    const back = w.log.slice(w.log.indexOf('update C') + 1);
    expect(back.slice(0, 3)).toEqual(['update C back', 'update B back', 'update A back']);
    expect(back.slice(3).sort()).toEqual(['delete N-1', 'delete R-2']);
    expect(Object.fromEntries(w.things)).toEqual({
      'A-1': { value: 1 },
      'B-1': { value: 1 },
      'R-1': { value: undefined },
      'C-1': { value: 1 },
    });
  });

  test('can be rolled back in the order of the update, because AWS documents no order', async () => {
    const w = world({ rollbackOrder: 'forward' });
    await w.deploy(chain(1));
    w.takeLog();
    w.behave(failOn('C'));
    await w.deploy(chain(2));
    expect(w.log).toEqual(['update A', 'update B', 'update C', 'update A back', 'update B back', 'update C back']);
  });

  test('leaves the stack as before: the same template again is no change, another one an update', async () => {
    const w = world();
    await w.deploy(chain(1));
    w.behave(failOn('B'));
    await w.deploy(chain(2));
    w.behave(() => undefined);
    await expect(w.deploy(chain(1))).resolves.toMatchObject({ status: 'NO_CHANGES' });
    w.takeLog();
    await expect(w.deploy(chain(2))).resolves.toMatchObject({ status: 'UPDATE_COMPLETE' });
    expect(w.log).toEqual(['update A', 'update B', 'update C']);
  });

  test('waits for running operations before the rollback', async () => {
    const w = world();
    await w.deploy({ A: thing({ Value: 1 }), B: thing({ Value: 1 }) });
    w.takeLog();
    let finish: () => void = () => undefined;
    w.behave((operation, id, rollback) => {
      if (operation === 'update' && !rollback) {
        if (id === 'A') {
          throw new ResourceFailure('it broke');
        }
        return new Promise((resolve) => {
          finish = resolve;
        });
      }
    });
    const running = w.deploy({ A: thing({ Value: 2 }), B: thing({ Value: 2 }) });
    await w.clock.advance(1000);
    expect(w.log).toEqual(['update A', 'update B']);
    finish();
    await expect(running).resolves.toMatchObject({ status: 'UPDATE_ROLLBACK_COMPLETE' });
    expect(w.log.slice(2).sort()).toEqual(['update A back', 'update B back']);
  });

  test('begins nothing new after the failure', async () => {
    const w = world();
    await w.deploy(chain(1));
    w.takeLog();
    w.behave(failOn('A'));
    await w.deploy(chain(2));
    expect(w.log).toEqual(['update A', 'update A back']);
  });

  test('that cannot be rolled back is reported, and then the stack can only be destroyed', async () => {
    const w = world();
    await w.deploy(chain(1));
    w.behave((operation, id, rollback) => {
      if (operation === 'update' && ((id === 'C' && !rollback) || (id === 'A' && rollback))) {
        throw new ResourceFailure(rollback ? 'stuck' : 'it broke');
      }
    });
    const result = await w.deploy(chain(2));
    expect(result).toMatchObject({
      status: 'UPDATE_ROLLBACK_FAILED',
      reason: 'C: it broke; the rollback of A failed: stuck',
    });
    await expect(w.deploy(chain(1))).rejects.toThrow('UPDATE_ROLLBACK_FAILED');
    w.behave(() => undefined);
    await expect(w.engine.destroy('Test')).resolves.toMatchObject({ status: 'DELETE_COMPLETE' });
  });

  test('by an output that cannot be resolved is rolled back as well', async () => {
    const w = world();
    await w.deploy({ A: thing({ Value: 1 }) });
    const result = await w.deploy({ A: thing({ Value: 2 }) }, { Outputs: { X: { Value: att('A', 'Nothing') } } });
    expect(result).toMatchObject({ status: 'UPDATE_ROLLBACK_COMPLETE', reason: expect.stringContaining('A.Nothing') });
    expect(w.things.get('A-1')).toEqual({ value: 1 });
  });
});

describe('ordered failures', () => {
  test('hit the matching operation once, and are rolled back like any other', async () => {
    const w = world();
    const template = (value: number) => ({
      A: thing({ Value: value }, { Metadata: { 'aws:cdk:path': 'Test/Lane/Resource' } }),
    });
    await w.deploy(template(1));
    w.engine.failResource('Test/*/Resource', 'ordered', 'update');
    w.takeLog();
    await expect(w.deploy(template(2))).resolves.toMatchObject({
      status: 'UPDATE_ROLLBACK_COMPLETE',
      reason: 'Test/Lane/Resource: ordered',
    });
    expect(w.log).toEqual(['update A back']);
    await expect(w.deploy(template(2))).resolves.toMatchObject({ status: 'UPDATE_COMPLETE' });
  });

  test('can be withdrawn, and do not hit another kind of operation', async () => {
    const w = world();
    w.engine.failResource('A', 'ordered', 'update');
    const withdraw = w.engine.failResource('A', 'ordered', 'create');
    withdraw();
    await expect(w.deploy({ A: thing() })).resolves.toMatchObject({ status: 'CREATE_COMPLETE' });
  });
});

describe('refused before anything is touched', () => {
  async function findings(resources: Record<string, unknown>, rest: Record<string, unknown> = {}): Promise<string> {
    const w = world();
    const error = await w.deploy(resources, rest).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(NotRehearsable);
    expect(w.log).toEqual([]);
    return error instanceof NotRehearsable ? error.message : '';
  }

  test('unknown types and properties, by name and by who uses them', async () => {
    const text = await findings({
      Vpc: { Type: 'AWS::EC2::VPC', Metadata: { 'aws:cdk:path': 'Test/Vpc/Resource' } },
      Other: { Type: 'AWS::EC2::VPC' },
      A: thing({ Color: 'red' }),
    });
    expect(text).toContain('not rehearsable: AWS::EC2::VPC, used by Test/Vpc/Resource, Other');
    expect(text).toContain('not rehearsable: property Color of Test::Thing, used by A');
  });

  test.each([
    ['Fn::ImportValue', { A: thing({ Value: { 'Fn::ImportValue': 'x' } }) }],
    ['Fn::Transform', { A: thing({ Value: { 'Fn::Transform': {} } }) }],
    ['dynamic reference {{resolve:ssm:…}}', { A: thing({ Value: '{{resolve:ssm:/x}}' }) }],
    ['CreationPolicy', { A: thing({}, { CreationPolicy: {} }) }],
    ['UpdatePolicy AutoScalingRollingUpdate', { A: thing({}, { UpdatePolicy: { AutoScalingRollingUpdate: {} } }) }],
    ['DeletionPolicy Snapshot', { A: thing({}, { DeletionPolicy: 'Snapshot' }) }],
  ])('%s', async (what, resources) => {
    expect(await findings(resources)).toContain(`not rehearsable: ${what}, used by A`);
  });

  test('what a handler refuses, as far as it can be told without the resources', async () => {
    const text = await findings(
      {
        A: thing({ Value: { 'Fn::Sub': 'out${Rest}' } }),
        B: thing({ Value: { 'Fn::GetAtt': ['A', 'Arn'] } }),
      },
      { Parameters: { Rest: { Type: 'String', Default: 'landish' } } },
    );
    expect(text).toContain('not rehearsable: an outlandish value, used by A');
    expect(text).not.toContain('used by A, B');
  });

  test('sections it does not know', async () => {
    expect(await findings({ A: thing() }, { Transform: 'AWS::Serverless-2016-10-31' })).toContain(
      'template section Transform',
    );
  });

  test('more resources than CloudFormation takes', async () => {
    const many = Object.fromEntries(Array.from({ length: 501 }, (_, index) => [`A${index}`, thing()]));
    expect(await findings(many)).toContain('501 resources in the template; CloudFormation takes 500');
  });

  test('circles', async () => {
    const text = await findings({
      A: thing({ Needs: ref('B') }),
      B: thing({}, { DependsOn: 'C' }),
      C: thing({ Needs: ref('A') }),
    });
    expect(text).toContain('circular dependency: A → B → C → A');
  });

  test('references to missing resources', async () => {
    const text = await findings({
      A: thing({ Needs: [ref('Gone'), { 'Fn::Sub': '${Missing.Arn}' }] }, { DependsOn: 'Nowhere' }),
    });
    expect(text).toContain('reference to Gone');
    expect(text).toContain('reference to Missing');
    expect(text).toContain('DependsOn Nowhere');
  });

  test('parameters without value, and values without parameter', async () => {
    expect(await findings({ A: thing() }, { Parameters: { P: { Type: 'String' } } })).toContain(
      'parameter P has no default',
    );
    expect(
      await findings(
        { A: thing() },
        { Parameters: { P: { Type: 'AWS::SSM::Parameter::Value<String>', Default: '/x' } } },
      ),
    ).toContain('has no /x');
  });

  test('a rule that does not hold', async () => {
    const Rules = {
      Check: { Assertions: [{ Assert: { 'Fn::Contains': [['6', '7'], '5'] }, AssertDescription: 'too old' }] },
    };
    expect(await findings({ A: thing() }, { Rules })).toContain('rule Check: too old');
  });

  test('a second operation while one is in progress', async () => {
    const w = world();
    w.behave(() => new Promise((resolve) => w.clock.after(1000, resolve)));
    const first = w.deploy({ A: thing() });
    await expect(w.deploy({ A: thing({ Value: 1 }) })).rejects.toThrow('in progress');
    await w.clock.advance(1000);
    await expect(first).resolves.toMatchObject({ status: 'CREATE_COMPLETE' });
  });
});

describe('conditions and parameters', () => {
  const template = {
    Parameters: {
      Stage: { Type: 'String', Default: 'dev' },
      Version: { Type: 'AWS::SSM::Parameter::Value<String>', Default: '/v' },
    },
    Mappings: { Sizes: { dev: { Size: 's' }, prod: { Size: 'xl' } } },
    Conditions: {
      IsProd: { 'Fn::Equals': [ref('Stage'), 'prod'] },
      NotProd: { 'Fn::Not': [{ Condition: 'IsProd' }] },
    },
    Resources: {
      A: thing({
        Value: [
          { 'Fn::If': ['IsProd', ref('Big'), ref('AWS::NoValue')] },
          { 'Fn::FindInMap': ['Sizes', ref('Stage'), 'Size'] },
          ref('Version'),
        ],
      }),
      Big: thing({}, { Condition: 'IsProd' }),
    },
    Outputs: { Big: { Condition: 'IsProd', Value: ref('Big') }, Stack: { Value: ref('AWS::StackName') } },
  };

  test('decide which resources there are and what refers to them', async () => {
    const w = world({ ssmParameter: (name) => (name === '/v' ? '30' : undefined) });
    const deploy = (parameters: Record<string, string>) =>
      w.engine.deploy({ stackName: 'Test', template, parameters, assemblyDirectory: '/' });
    await expect(deploy({})).resolves.toMatchObject({ status: 'CREATE_COMPLETE', outputs: { Stack: 'Test' } });
    expect(w.things.get('A-1')).toEqual({ value: ['s', '30'] });
    await expect(deploy({ Stage: 'prod' })).resolves.toMatchObject({
      status: 'UPDATE_COMPLETE',
      outputs: { Big: 'Big-1' },
    });
    expect(w.things.get('A-1')).toEqual({ value: ['Big-1', 'xl', '30'] });
    await expect(deploy({})).resolves.toMatchObject({ status: 'UPDATE_COMPLETE' });
    expect(w.things.has('Big-1')).toBe(false);
  });
});

describe('destroy', () => {
  test('deletes dependents first, keeps what is to be retained, and says so', async () => {
    const w = world();
    await w.deploy({
      A: thing(),
      B: thing({ Needs: ref('A') }),
      C: thing({ Needs: ref('A') }, { DeletionPolicy: 'Retain' }),
      D: thing({}, { DeletionPolicy: 'RetainExceptOnCreate' }),
    });
    w.takeLog();
    const result = await w.engine.destroy('Test');
    expect(w.log).toEqual(['delete B-1', 'delete A-1']);
    expect(result.status).toBe('DELETE_COMPLETE');
    expect(result.retained.map(({ physicalId }) => physicalId).sort()).toEqual(['C-1', 'D-1']);
    expect(w.engine.stackNames()).toEqual([]);
    await expect(w.engine.destroy('Test')).rejects.toThrow('no stack Test');
  });

  test('switches deletion protection off, however deep it stands, and says so', async () => {
    const w = world();
    await w.deploy({
      A: thing({ DeletionProtectionEnabled: true }),
      B: thing({ Value: [{ DeletionProtectionEnabled: true }] }),
      C: thing({ DeletionProtectionEnabled: false }),
    });
    const result = await w.engine.destroy('Test');
    expect(result).toMatchObject({ status: 'DELETE_COMPLETE', failures: [] });
    expect([...result.deletionProtectionOverridden].sort()).toEqual(['A', 'B']);
    expect(w.things.size).toBe(0);
  });

  test('fails when a resource cannot be deleted, and continues with the others', async () => {
    const w = world();
    await w.deploy({ A: thing(), B: thing() });
    w.behave((operation, id) => {
      if (operation === 'delete' && id === 'A') {
        throw new ResourceFailure('not empty');
      }
    });
    await expect(w.engine.destroy('Test')).resolves.toMatchObject({
      status: 'DELETE_FAILED',
      failures: [{ path: 'A', reason: 'not empty' }],
    });
    expect([...w.things.keys()]).toEqual(['A-1']);
  });
});

test('events carry the cloud time and the stack frames them', async () => {
  const w = world();
  const { events } = await w.deploy({ A: thing() });
  expect(events.map(({ logicalId, status }) => `${logicalId} ${status}`)).toEqual([
    'Test CREATE_IN_PROGRESS',
    'A CREATE_IN_PROGRESS',
    'A CREATE_COMPLETE',
    'Test CREATE_COMPLETE',
  ]);
  expect(events.every(({ at }) => at === w.clock.now())).toBe(true);
});
