/** What a receipt handle stands for: one receive of one message from one queue. */
export interface Receipt {
  readonly queue: string;
  readonly messageId: string;
  /** Counts the receives of the message: a handle of an earlier receive is stale. */
  readonly receive: number;
}

const FORM = /^([A-Za-z0-9_-]{1,80}) ([0-9a-f-]{36}) (\d+)$/;

export function encodeReceipt({ queue, messageId, receive }: Receipt): string {
  return Buffer.from(`${queue} ${messageId} ${receive}`).toString('base64');
}

/** Undefined for anything that {@link encodeReceipt} did not write. */
export function decodeReceipt(handle: string): Receipt | undefined {
  const [, queue, messageId, receive] = FORM.exec(Buffer.from(handle, 'base64').toString()) ?? [];
  return queue === undefined || messageId === undefined ? undefined : { queue, messageId, receive: Number(receive) };
}
