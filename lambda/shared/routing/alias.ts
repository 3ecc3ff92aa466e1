import { GetAliasCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { type AliasSnapshot, ROUTER_ALIAS } from '../../../lib/contract';

/**
 * What the alias `live` of the router says. During a CodeDeploy shift its version stays the old one, and the new one
 * stands beside it with its weight (https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html).
 */
export async function readAlias(client: LambdaClient, functionName: string): Promise<AliasSnapshot> {
  const { FunctionVersion, RoutingConfig } = await client.send(
    new GetAliasCommand({ FunctionName: functionName, Name: ROUTER_ALIAS }),
  );
  if (FunctionVersion === undefined) {
    throw new Error(`alias ${ROUTER_ALIAS} of ${functionName} names no version`);
  }
  const [shift] = Object.entries(RoutingConfig?.AdditionalVersionWeights ?? {});
  return shift === undefined
    ? { version: FunctionVersion }
    : { version: FunctionVersion, shift: { version: shift[0], weight: shift[1] } };
}
