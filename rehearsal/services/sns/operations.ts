import { z } from 'zod';
import { type RehearsalService, ServiceError } from '../../core/service';
import type { Topics } from './model';

const publishSchema = z.strictObject({
  TopicArn: z.string(),
  Message: z.string().min(1),
  Subject: z.string().optional(),
});

/** https://docs.aws.amazon.com/sns/latest/api/API_Publish.html */
export function snsOperations(topics: Topics): RehearsalService {
  return {
    signingName: 'sns',
    protocol: 'awsQuery',
    xmlNamespace: 'http://sns.amazonaws.com/doc/2010-03-31/',
    operations: ['Publish'],
    accessDeniedCode: 'AuthorizationError',
    authorize: ({ input }) => [{ action: 'sns:Publish', resource: String(input.TopicArn) }],
    handle: async ({ input }) => {
      const parsed = publishSchema.safeParse(input);
      if (!parsed.success) throw publishError(parsed.error);
      const { TopicArn, Subject, Message } = parsed.data;
      return { MessageId: topics.publish(TopicArn, Subject, Message) };
    },
  };
}

function publishError({ issues }: z.ZodError): ServiceError {
  const unknown = issues.flatMap((issue) => (issue.code === 'unrecognized_keys' ? issue.keys : []));
  if (unknown.length > 0) {
    return new ServiceError('NotRehearsable', `not rehearsable: sns.Publish with ${unknown.join(', ')}`, 501);
  }
  const parameters = issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  return new ServiceError('InvalidParameter', `Invalid parameter: ${parameters}`);
}
