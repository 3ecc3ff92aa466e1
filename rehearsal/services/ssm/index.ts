import { REHEARSAL_ACCOUNT, REHEARSAL_REGION } from '../../core/resource';
import { type RehearsalService, ServiceError } from '../../core/service';

/** Parameter that `cdk bootstrap` leaves behind, and a version that satisfies every template of CDK 2. */
const BOOTSTRAP_PARAMETER = '/cdk-bootstrap/hnb659fds/version';
const BOOTSTRAP_VERSION = '30';

export interface Ssm {
  readonly service: RehearsalService;
  readonly handlers: readonly [];
  /** For template parameters of type `AWS::SSM::Parameter::Value<…>`. */
  parameter(name: string): string | undefined;
  putParameter(name: string, value: string): void;
  stop(): Promise<void>;
}

/**
 * Parameter Store as far as templates and functions read it. There is the bootstrap version from the start.
 * https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
 */
export function createSsm(): Ssm {
  const parameters = new Map([[BOOTSTRAP_PARAMETER, BOOTSTRAP_VERSION]]);
  const arnOf = (name: string) =>
    `arn:aws:ssm:${REHEARSAL_REGION}:${REHEARSAL_ACCOUNT}:parameter/${name.replace(/^\//, '')}`;
  return {
    handlers: [],
    parameter: (name) => parameters.get(name),
    putParameter: (name, value) => void parameters.set(name, value),
    stop: async () => {},
    service: {
      signingName: 'ssm',
      protocol: 'awsJson1.1',
      operations: ['GetParameter'],
      authorize: ({ input }) => [{ action: 'ssm:GetParameter', resource: arnOf(String(input.Name)) }],
      handle: async ({ input }) => {
        const name = String(input.Name);
        const value = parameters.get(name);
        if (value === undefined) throw new ServiceError('ParameterNotFound', `Parameter ${name} not found.`);
        return {
          Parameter: { Name: name, ARN: arnOf(name), Type: 'String', DataType: 'text', Value: value, Version: 1 },
        };
      },
    },
  };
}
