import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROLE, Stage } from './support';

describe('AWS::Lambda::Function, Version, Permission, EventInvokeConfig', () => {
  let stage: Stage;

  beforeEach(async () => {
    stage = await Stage.open();
    await stage.role();
  });
  afterEach(() => stage.close());

  const result = async (target: string, event: unknown = {}) => JSON.parse((await stage.invoke(target, event)).payload);

  test('gives the handler the environment of Lambda and nothing of this process', async () => {
    process.env.SECRET_OF_THIS_MACHINE = 'must not leak';
    await stage.function('f', 'exports.handler = async () => ({ env: process.env, cwd: process.cwd() });', {
      Environment: { Variables: { MODE: 'live', COUNT: 3 } },
      MemorySize: 256,
      LoggingConfig: { LogGroup: '/agents/f' },
    });
    const { env, cwd } = await result('f');
    expect(env).toMatchObject({
      MODE: 'live',
      COUNT: '3',
      AWS_REGION: 'us-east-1',
      AWS_LAMBDA_FUNCTION_NAME: 'f',
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
      AWS_LAMBDA_LOG_GROUP_NAME: '/agents/f',
      AWS_ENDPOINT_URL: stage.apiServer.url,
      _HANDLER: 'index.handler',
      LAMBDA_TASK_ROOT: cwd,
    });
    expect(env.AWS_LAMBDA_LOG_STREAM_NAME).toMatch(/^2030\/01\/01\/\[\$LATEST\][0-9a-f]{32}$/);
    expect(stage.iam.principalOf(env.AWS_ACCESS_KEY_ID)).toMatchObject({ kind: 'role', arn: ROLE });
    expect(JSON.parse(env.AGENT_LANES_CLOCK)).toMatchObject({ speed: 1 });
    expect(env._X_AMZN_TRACE_ID).toMatch(/^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$/);
    expect(env.SECRET_OF_THIS_MACHINE).toBeUndefined();
    expect(env.NODE_OPTIONS).toBeUndefined();
    delete process.env.SECRET_OF_THIS_MACHINE;
  });

  test('adds the variables that the rehearsal was asked to add', async () => {
    await stage.close();
    stage = await Stage.open({ extraEnvironment: (name) => ({ ANTHROPIC_BASE_URL: `http://provider/${name}` }) });
    await stage.role();
    await stage.function('f', 'exports.handler = async () => process.env.ANTHROPIC_BASE_URL;');
    expect(await result('f')).toBe('http://provider/f');
  });

  test('gives the handler a context with the ARN as invoked and the time that is left', async () => {
    await stage.function(
      'f',
      `exports.handler = async (event, context) => {
         const left = context.getRemainingTimeInMillis();
         await new Promise((resolve) => setTimeout(resolve, 50));
         return { ...context, left, later: context.getRemainingTimeInMillis() };
       };`,
      { Timeout: 10 },
    );
    await stage.publish('f');
    stage.lambda.port.putAlias({ functionName: 'f', name: 'live', version: '1', weights: {} });
    const context = await result('f:live');
    expect(context).toMatchObject({
      invokedFunctionArn: 'arn:aws:lambda:us-east-1:123456789012:function:f:live',
      functionVersion: '1',
      memoryLimitInMB: '128',
      logGroupName: '/aws/lambda/f',
    });
    expect(context.awsRequestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(context.left).toBeGreaterThan(9000);
    expect(context.left).toBeLessThanOrEqual(10_000);
    expect(context.left - context.later).toBeGreaterThanOrEqual(45);
  });

  test('runs ES modules, modules in folders, and code written into the template', async () => {
    const S3Key = stage.asset({ 'app/main.mjs': 'export const run = async () => "module";' });
    await stage.create('AWS::Lambda::Function', 'm', {
      ...stage.functionProperties('m', ''),
      Code: { S3Bucket: 'assets', S3Key },
      Handler: 'app/main.run',
    });
    await stage.create('AWS::Lambda::Function', 'inline', {
      ...stage.functionProperties('inline', ''),
      Code: { ZipFile: 'exports.handler = async () => "inline";' },
    });
    expect(await result('m')).toBe('module');
    expect(await result('inline')).toBe('inline');
  });

  test('finds the AWS SDK of the runtime, and no other module that was not bundled', async () => {
    await stage.function(
      'f',
      `exports.handler = async ({ name }) => { try { require(name); return 'found'; } catch (error) { return error.code; } };`,
    );
    expect(await result('f', { name: '@aws-sdk/client-sqs' })).toBe('found');
    expect(await result('f', { name: 'zod' })).toBe('MODULE_NOT_FOUND');
  });

  test('a published version stays what it was, whatever becomes of the asset and of $LATEST', async () => {
    const first = await stage.function('f', 'exports.handler = async () => "one";');
    expect(await stage.publish('f')).toBe('arn:aws:lambda:us-east-1:123456789012:function:f:1');
    const { Code } = first as { Code: { S3Key: string } };
    writeFileSync(join(stage.folder, Code.S3Key, 'index.js'), 'exports.handler = async () => "overwritten";');
    const second = stage.functionProperties('f', 'exports.handler = async () => "two";');
    await stage.update('AWS::Lambda::Function', 'f', 'f', first, second);
    expect(await stage.publish('f')).toMatch(/:f:2$/);
    expect([await result('f:1'), await result('f:2'), await result('f')]).toEqual(['one', 'two', 'two']);
  });

  test('fails to publish when nothing changed since the version published last', async () => {
    const one = await stage.function('f', 'exports.handler = async () => 1;');
    await stage.publish('f');
    await expect(stage.publish('f')).rejects.toThrow(
      'A version for this Lambda function exists ( 1 ). Modify the function to create a new version.',
    );
    // The same code from another asset is no change. Another variable is a change, and so is the return to the old one.
    const same = {
      ...one,
      Code: { S3Bucket: 'assets', S3Key: stage.asset({ 'index.js': 'exports.handler = async () => 1;' }) },
    };
    await stage.update('AWS::Lambda::Function', 'f', 'f', one, same);
    await expect(stage.publish('f')).rejects.toThrow(/exists \( 1 \)/);
    const other = { ...one, Environment: { Variables: { RELEASE: 'r-1' } } };
    await stage.update('AWS::Lambda::Function', 'f', 'f', same, other);
    expect(await stage.publish('f')).toMatch(/:2$/);
    await stage.update('AWS::Lambda::Function', 'f', 'f', other, one);
    expect(await stage.publish('f')).toMatch(/:3$/);
  });

  test('a version that was removed in a clean-up can be published again', async () => {
    const one = await stage.function('f', 'exports.handler = async () => 1;');
    await stage.publish('f');
    const two = { ...one, Environment: { Variables: { RELEASE: 'r-2' } } };
    await stage.update('AWS::Lambda::Function', 'f', 'f', one, two);
    const failed = await stage.publish('f');
    await stage.update('AWS::Lambda::Function', 'f', 'f', two, one);
    await stage.delete('AWS::Lambda::Version', 'v', failed, {});
    expect(stage.lambda.port.versionExists('f', '2')).toBe(false);
    await stage.update('AWS::Lambda::Function', 'f', 'f', one, two);
    expect(await stage.publish('f')).toMatch(/:3$/);
  });

  test('fails to delete a version that an alias points to, also by a weight', async () => {
    const one = await stage.function('f', 'exports.handler = async () => 1;');
    const first = await stage.publish('f');
    await stage.update('AWS::Lambda::Function', 'f', 'f', one, { ...one, Timeout: 9 });
    const second = await stage.publish('f');
    stage.lambda.port.putAlias({ functionName: 'f', name: 'live', version: '1', weights: { '2': 0.1 } });
    for (const arn of [first, second]) {
      await expect(stage.delete('AWS::Lambda::Version', 'v', arn, {})).rejects.toThrow(
        /aliases reference it: \[live\]/,
      );
    }
    stage.lambda.port.deleteAlias('f', 'live');
    await stage.delete('AWS::Lambda::Version', 'v', second, {});
    await expect(stage.invoke('f:2')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  test('an alias with weights draws a version for each invocation', async () => {
    await stage.close();
    const draws = [0.05, 0.3, 0.1, 0.99];
    stage = await Stage.open({ random: () => draws.shift() ?? 1 });
    await stage.role();
    const one = await stage.function('f', 'exports.handler = async (event, context) => context.functionVersion;');
    await stage.publish('f');
    await stage.update('AWS::Lambda::Function', 'f', 'f', one, { ...one, Description: 'new', Timeout: 9 });
    await stage.publish('f');
    stage.lambda.port.putAlias({ functionName: 'f', name: 'live', version: '1', weights: { '2': 0.2 } });
    const seen = [];
    for (let index = 0; index < 4; index += 1) {
      const { payload, executedVersion } = await stage.invoke('f:live');
      expect(JSON.parse(payload)).toBe(executedVersion);
      seen.push(executedVersion);
    }
    expect(seen).toEqual(['2', '1', '2', '1']);
  });

  test('refuses an alias on versions that are not there, and weights that cannot be', async () => {
    const one = await stage.function('f', 'exports.handler = async () => 1;');
    await stage.publish('f');
    const { port } = stage.lambda;
    const put = (version: string, weights: Record<string, number>) => () =>
      port.putAlias({ functionName: 'f', name: 'live', version, weights });
    expect(put('7', {})).toThrow(/Function not found: .*:f:7/);
    expect(put('1', { '1': 0.5 })).toThrow(/at most one other version/);
    await stage.role('other');
    const Role = ROLE.replace('worker', 'other');
    await stage.update('AWS::Lambda::Function', 'f', 'f', one, { ...one, Role });
    await stage.publish('f');
    expect(put('1', { '2': 1.5 })).toThrow(/weight from 0 to 1/);
    expect(put('1', { '2': 0.5 })).toThrow(/same execution role/);
    expect(port.getAlias('f', 'live')).toBeUndefined();
  });

  test('Lambda invokes for a service only with a permission on what is invoked', async () => {
    await stage.function('f', 'exports.handler = async () => "ok";');
    await stage.publish('f');
    stage.lambda.port.putAlias({ functionName: 'f', name: 'live', version: '1', weights: {} });
    const sourceArn = 'arn:aws:execute-api:us-east-1:123456789012:api1/$default/POST/tasks';
    const invoke = (target: string) =>
      stage.lambda.port.invoke({
        function: target,
        payload: '{}',
        type: 'RequestResponse',
        invoker: { service: 'apigateway.amazonaws.com', sourceArn },
      });
    const permission = {
      Action: 'lambda:InvokeFunction',
      FunctionName: 'arn:aws:lambda:us-east-1:123456789012:function:f:live',
      Principal: 'apigateway.amazonaws.com',
      SourceArn: 'arn:aws:execute-api:us-east-1:123456789012:api1/*/*/tasks',
    };
    await expect(invoke('f:live')).rejects.toMatchObject({ name: 'AccessDeniedException' });
    const { physicalId } = await stage.create('AWS::Lambda::Permission', 'p', permission);
    expect((await invoke('f:live')).payload).toBe('"ok"');
    await expect(invoke('f')).rejects.toMatchObject({ name: 'AccessDeniedException' });
    await stage.delete('AWS::Lambda::Permission', 'p', physicalId, permission);
    await expect(invoke('f:live')).rejects.toMatchObject({ name: 'AccessDeniedException' });
  });

  test.each([
    ['a runtime that is not Node.js', { Runtime: 'python3.13' }, /Runtime: .*Node\.js/],
    ['an unknown property', { Layers: ['arn:aws:lambda:::layer'] }, /Layers/],
    ['a timeout of 16 minutes', { Timeout: 960 }, /Timeout/],
    ['a reserved variable', { Environment: { Variables: { AWS_REGION: 'x' } } }, /reserved keys .*AWS_REGION/],
    ['a variable with a short name', { Environment: { Variables: { A: 'x' } } }, /got the names A, expected/],
    ['the clock of the rehearsal', { Environment: { Variables: { AGENT_LANES_CLOCK: '{}' } } }, /AGENT_LANES_CLOCK/],
    ['more than 4 KB of environment', { Environment: { Variables: { BIG: 'x'.repeat(4090) } } }, /4KB limit/],
    ['an asset that is not there', { Code: { S3Bucket: 'b', S3Key: 'nowhere' } }, /nowhere/],
    ['a role that is not there', { Role: 'arn:aws:iam::123456789012:role/none' }, /cannot be assumed by Lambda/],
  ])('refuses a function with %s', async (_what, more, message) => {
    await expect(stage.function('f', 'exports.handler = async () => 1;', more)).rejects.toThrow(message);
  });

  test('refuses a dead-letter queue that the role may not send to', async () => {
    const { arn } = await stage.queue('dead');
    const role = await stage.role('narrow', ['logs:*']);
    const more = { Role: role, DeadLetterConfig: { TargetArn: arn } };
    await expect(stage.function('f', 'exports.handler = async () => 1;', more)).rejects.toThrow(
      'does not have permissions to call SendMessage on SQS',
    );
  });

  test('stopping removes the copies of the code', async () => {
    await stage.function('f', 'exports.handler = async () => process.cwd();');
    const folder = await result('f');
    expect(existsSync(folder)).toBe(true);
    await stage.lambda.stop();
    expect(existsSync(folder)).toBe(false);
  });
});
