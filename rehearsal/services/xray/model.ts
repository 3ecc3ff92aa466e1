import { z } from 'zod';

/** Maximum number of traces; the oldest are dropped first. */
const MAX_TRACES = 20_000;

/** Documents kept of one trace. */
const MAX_DOCUMENTS = 1_000;

/** @see https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html */
const documentSchema = z.looseObject({
  trace_id: z.string().regex(/^1-[0-9a-f]{8}-[0-9a-f]{24}$/),
  id: z.string().regex(/^[0-9a-f]{16}$/),
  name: z.string().min(1).max(200),
  start_time: z.number(),
  end_time: z.number().optional(),
  in_progress: z.boolean().optional(),
  parent_id: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .optional(),
  type: z.literal('subsegment').optional(),
});

/** A segment or a subsegment as it was sent; what is nested in it stays in it. */
export type SegmentDocument = z.infer<typeof documentSchema>;

export interface TraceView {
  /** `1-` and the rest of the root id. */
  readonly id: string;
  /** In the order of their arrival. */
  readonly documents: readonly SegmentDocument[];
}

/** The received segment documents. All are kept, without sampling. */
export class Traces {
  readonly #byTrace = new Map<string, SegmentDocument[]>();

  /** Oldest first. */
  views(): readonly TraceView[] {
    return [...this.#byTrace].map(([id, documents]) => ({ id, documents: [...documents] }));
  }

  /** @returns what is wrong with the document, if anything: then it is not kept */
  add(text: string): string | undefined {
    const document = documentSchema.safeParse(parse(text));
    if (!document.success) {
      const [issue] = document.error.issues;
      return `${issue?.path.join('.') || 'document'}: ${issue?.message ?? 'not valid'}`;
    }
    const { trace_id: trace } = document.data;
    const documents = this.#byTrace.get(trace) ?? [];
    if (documents.length < MAX_DOCUMENTS) {
      documents.push(document.data);
    }
    this.#byTrace.set(trace, documents);
    const [oldest] = this.#byTrace.keys();
    if (this.#byTrace.size > MAX_TRACES && oldest !== undefined) {
      this.#byTrace.delete(oldest);
    }
    return undefined;
  }
}

export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
