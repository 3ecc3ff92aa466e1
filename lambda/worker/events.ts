import * as z from 'zod';

/** A message as an event source mapping hands it over; members that the worker does not use are left out. */
export const sqsRecordSchema = z.object({
  messageId: z.string(),
  /** By which the queue is told what to do with the message. */
  receiptHandle: z.string(),
  body: z.string(),
  attributes: z.object({
    /** How often the message was received, this time included. */
    ApproximateReceiveCount: z.string().regex(/^\d+$/).transform(Number),
    /** X-Ray trace header of the sender. */
    AWSTraceHeader: z.string().optional(),
  }),
});
export type SqsRecord = z.infer<typeof sqsRecordSchema>;

export const sqsEventSchema = z.object({ Records: z.array(sqsRecordSchema) });

/** Messages named here stay in the queue, the others are deleted. */
export interface BatchResponse {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[];
}

/** The part of Lambda's context that the worker uses. */
export interface LambdaContext {
  getRemainingTimeInMillis(): number;
}
