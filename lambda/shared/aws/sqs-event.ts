import * as z from 'zod';

/** A message as an event source mapping or a receive delivers it; members that no function uses are left out. @internal */
export const sqsRecordSchema = z.object({
  messageId: z.string(),
  /** Identifies this receive in calls that hide or delete the message. */
  receiptHandle: z.string(),
  body: z.string(),
  attributes: z.object({
    /** Number of receives, including this one. */
    ApproximateReceiveCount: z.string().regex(/^\d+$/).transform(Number),
    /** X-Ray trace header of the sender. */
    AWSTraceHeader: z.string().optional(),
  }),
  messageAttributes: z.record(z.string(), z.unknown()).optional(),
});
/** @internal */
export type SqsRecord = z.infer<typeof sqsRecordSchema>;

/** Event of an SQS event source mapping. @internal */
export const sqsEventSchema = z.object({ Records: z.array(sqsRecordSchema).readonly() });
/** @internal */
export type SqsEvent = z.infer<typeof sqsEventSchema>;

/** Partial batch response: SQS keeps the messages listed in it and deletes the others. */
export interface SqsBatchResponse {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[];
}
