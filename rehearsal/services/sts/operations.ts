import { REHEARSAL_ACCOUNT } from '../../core/resource';
import type { RehearsalService } from '../../core/service';
import { sessionArn } from '../iam/policy';

/**
 * GetCallerIdentity, which needs no permission.
 * https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
 */
export function stsOperations(): RehearsalService {
  return {
    signingName: 'sts',
    protocol: 'awsQuery',
    xmlNamespace: 'https://sts.amazonaws.com/doc/2011-06-15/',
    operations: ['GetCallerIdentity'],
    authorize: () => [],
    handle: async ({ principal }) => ({
      Arn: sessionArn(principal),
      UserId: principal.label,
      Account: REHEARSAL_ACCOUNT,
    }),
  };
}
