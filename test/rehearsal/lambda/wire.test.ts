import {
  GetAliasCommand,
  GetFunctionCommand,
  GetFunctionConfigurationCommand,
  InvokeCommand,
  LambdaClient,
  ListAliasesCommand,
  ListVersionsByFunctionCommand,
} from '@aws-sdk/client-lambda';
import { OPERATOR_CREDENTIALS } from '../../../rehearsal/core/principal';
import { Stage, until } from './support';

/** Conformance: the real SDK client against the rehearsal's Lambda. */
describe('Lambda on the wire', () => {
  let stage: Stage;
  let lambda: LambdaClient;

  beforeAll(async () => {
    stage = await Stage.open();
    await stage.role();
    const one = await stage.function(
      'f',
      'exports.handler = async (event) => { if (event.bad) throw new Error("bad"); console.log("ran"); return { got: event }; };',
      { Environment: { Variables: { MODE: 'live' } }, MemorySize: 256 },
    );
    await stage.publish('f');
    await stage.update('AWS::Lambda::Function', 'f', 'f', one, { ...one, MemorySize: 512 });
    await stage.publish('f');
    stage.lambda.port.putAlias({ functionName: 'f', name: 'live', version: '1', weights: { '2': 0.05 } });
    stage.lambda.port.putAlias({ functionName: 'f', name: 'stable', version: '1', weights: {} });
    lambda = client(stage, OPERATOR_CREDENTIALS);
  });
  afterAll(async () => {
    lambda.destroy();
    await stage.close();
  });

  const text = (payload: Uint8Array | undefined) => Buffer.from(payload ?? []).toString();

  test('GetAlias gives the version and, during a shift, the weights', async () => {
    const live = await lambda.send(new GetAliasCommand({ FunctionName: 'f', Name: 'live' }));
    expect(live).toMatchObject({
      AliasArn: 'arn:aws:lambda:us-east-1:123456789012:function:f:live',
      FunctionVersion: '1',
      RoutingConfig: { AdditionalVersionWeights: { '2': 0.05 } },
    });
    const stable = await lambda.send(new GetAliasCommand({ FunctionName: 'f', Name: 'stable' }));
    expect(stable.RoutingConfig).toBeUndefined();
    const { Aliases } = await lambda.send(new ListAliasesCommand({ FunctionName: 'f' }));
    expect(Aliases?.map((alias) => alias.Name)).toEqual(['live', 'stable']);
  });

  test('Invoke gives the payload and the version that ran', async () => {
    const result = await lambda.send(
      new InvokeCommand({ FunctionName: 'f', Qualifier: 'stable', Payload: Buffer.from('{"a":"ü"}') }),
    );
    expect(result.StatusCode).toBe(200);
    expect(result.ExecutedVersion).toBe('1');
    expect(result.FunctionError).toBeUndefined();
    expect(JSON.parse(text(result.Payload))).toEqual({ got: { a: 'ü' } });
    const byArn = await lambda.send(
      new InvokeCommand({ FunctionName: 'arn:aws:lambda:us-east-1:123456789012:function:f:2' }),
    );
    expect(byArn.ExecutedVersion).toBe('2');
  });

  test('Invoke tells a function error from an error of the call', async () => {
    const result = await lambda.send(new InvokeCommand({ FunctionName: 'f', Payload: Buffer.from('{"bad":1}') }));
    expect(result).toMatchObject({ StatusCode: 200, FunctionError: 'Unhandled' });
    expect(JSON.parse(text(result.Payload)).errorMessage).toBe('bad');
    await expect(lambda.send(new InvokeCommand({ FunctionName: 'none' }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: 'Function not found: arn:aws:lambda:us-east-1:123456789012:function:none',
    });
    await expect(
      lambda.send(new InvokeCommand({ FunctionName: 'f', Payload: Buffer.from('{') })),
    ).rejects.toMatchObject({ name: 'InvalidRequestContentException' });
  });

  test('an event invocation is accepted before it runs, a dry run never runs', async () => {
    const before = stage.logLines.filter((line) => line === 'ran').length;
    const dry = await lambda.send(new InvokeCommand({ FunctionName: 'f', InvocationType: 'DryRun' }));
    expect(dry.StatusCode).toBe(204);
    const event = await lambda.send(new InvokeCommand({ FunctionName: 'f', InvocationType: 'Event' }));
    expect(event.StatusCode).toBe(202);
    await until(() => stage.logLines.filter((line) => line === 'ran').length === before + 1, 'the event to run');
  });

  test('GetFunction and its relatives describe $LATEST and versions', async () => {
    const configuration = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: 'f', Qualifier: '1' }));
    expect(configuration).toMatchObject({
      FunctionArn: 'arn:aws:lambda:us-east-1:123456789012:function:f:1',
      Version: '1',
      MemorySize: 256,
      Environment: { Variables: { MODE: 'live' } },
      State: 'Active',
    });
    const { Configuration } = await lambda.send(new GetFunctionCommand({ FunctionName: 'f' }));
    expect(Configuration).toMatchObject({ Version: '$LATEST', MemorySize: 512 });
    expect(Configuration?.CodeSha256).toMatch(/^[A-Za-z0-9+/]{43}=$/);
    const { Versions } = await lambda.send(new ListVersionsByFunctionCommand({ FunctionName: 'f' }));
    expect(Versions?.map((version) => version.Version)).toEqual(['$LATEST', '1', '2']);
  });

  test('refuses what the caller’s role does not allow, by the ARN with the qualifier', async () => {
    const arn = 'arn:aws:lambda:us-east-1:123456789012:function:f';
    const role = await stage.role('reader', ['lambda:GetAlias']);
    const limited = client(stage, stage.iam.sessionFor(role, 'reader'));
    await limited.send(new GetAliasCommand({ FunctionName: 'f', Name: 'live' }));
    await expect(limited.send(new InvokeCommand({ FunctionName: 'f', Qualifier: 'live' }))).rejects.toMatchObject({
      name: 'AccessDeniedException',
      message: expect.stringContaining(`${arn}:live`),
    });
    limited.destroy();
  });

  test('refuses an operation that the rehearsal does not have', async () => {
    const { DeleteFunctionCommand } = await import('@aws-sdk/client-lambda');
    await expect(lambda.send(new DeleteFunctionCommand({ FunctionName: 'f' }))).rejects.toThrow(/not rehearsable/);
  });
});

function client(
  stage: Stage,
  credentials: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken: string },
): LambdaClient {
  return new LambdaClient({ region: 'us-east-1', endpoint: stage.apiServer.url, credentials, maxAttempts: 1 });
}
