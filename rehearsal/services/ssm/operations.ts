import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../../core/resource';
import { type RehearsalService, ServiceError } from '../../core/service';

/**
 * Parameter Store as far as functions read it.
 * https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
 */
export function ssmOperations(parameters: ReadonlyMap<string, string>): RehearsalService {
  return {
    signingName: 'ssm',
    protocol: 'awsJson1.1',
    operations: ['GetParameter'],
    authorize: ({ input }) => [{ action: 'ssm:GetParameter', resource: parameterArn(String(input.Name)) }],
    handle: async ({ input }) => {
      const name = String(input.Name);
      const value = parameters.get(name);
      if (value === undefined) throw new ServiceError('ParameterNotFound', `Parameter ${name} not found.`);
      return {
        Parameter: { Name: name, ARN: parameterArn(name), Type: 'String', DataType: 'text', Value: value, Version: 1 },
      };
    },
  };
}

function parameterArn(name: string): string {
  return `arn:aws:ssm:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:parameter/${name.replace(/^\//, '')}`;
}
