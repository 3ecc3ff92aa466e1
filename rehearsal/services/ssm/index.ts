import type { RehearsalService } from '../../core/service';
import { ssmOperations } from './operations';

/** Parameter that `cdk bootstrap` creates, and a version that satisfies every template of CDK 2. */
const BOOTSTRAP_PARAMETER = '/cdk-bootstrap/hnb659fds/version';
const BOOTSTRAP_VERSION = '30';

export interface Ssm {
  readonly service: RehearsalService;
  /** For template parameters of type `AWS::SSM::Parameter::Value<…>`. */
  parameter(name: string): string | undefined;
  putParameter(name: string, value: string): void;
}

/** Parameter Store. The bootstrap version exists from the start. */
export function createSsm(): Ssm {
  const parameters = new Map([[BOOTSTRAP_PARAMETER, BOOTSTRAP_VERSION]]);
  return {
    service: ssmOperations(parameters),
    parameter: (name) => parameters.get(name),
    putParameter: (name, value) => void parameters.set(name, value),
  };
}
