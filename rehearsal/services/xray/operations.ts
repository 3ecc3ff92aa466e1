import { z } from 'zod';
import { type RehearsalService, ServiceError } from '../../core/service';
import { parse, type Traces } from './model';

const putSchema = z.strictObject({ TraceSegmentDocuments: z.array(z.string()) });

const identifiedSchema = z.looseObject({ id: z.string() });

/**
 * X-Ray's API as far as containers send it their documents, without a daemon.
 *
 * @see https://docs.aws.amazon.com/xray/latest/api/API_PutTraceSegments.html
 */
export function xrayOperations(traces: Traces): RehearsalService {
  return {
    signingName: 'xray',
    protocol: 'restJson1',
    operations: ['PutTraceSegments'],
    route: ({ method, path, body }) =>
      method === 'POST' && path === '/TraceSegments'
        ? { operation: 'PutTraceSegments', input: { body: parse(body.toString('utf8')) } }
        : undefined,
    authorize: () => [{ action: 'xray:PutTraceSegments', resource: '*' }],
    handle: async ({ input }) => {
      const request = putSchema.safeParse(input.body);
      if (!request.success) {
        const [issue] = request.error.issues;
        throw new ServiceError('InvalidRequestException', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
      }
      const unprocessed = request.data.TraceSegmentDocuments.flatMap((text) => {
        const problem = traces.add(text);
        if (problem === undefined) {
          return [];
        }
        const { data } = identifiedSchema.safeParse(parse(text));
        return [{ ...(data === undefined ? {} : { Id: data.id }), ErrorCode: 'InvalidSegment', Message: problem }];
      });
      return { UnprocessedTraceSegments: unprocessed };
    },
  };
}
