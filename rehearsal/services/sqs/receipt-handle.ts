import { createHash } from 'node:crypto';

/** What a receipt handle stands for: one receive of one message from one queue. */
export interface Receipt {
  readonly queue: string;
  readonly messageId: string;
  /** Counts the receives of the message: a handle of an earlier receive is stale. */
  readonly receive: number;
}

export function encodeReceipt(receipt: Receipt): string {
  const text = `${receipt.queue} ${receipt.messageId} ${receipt.receive}`;
  return Buffer.from(`${text} ${checksum(text)}`).toString('base64');
}

/** Undefined for anything that {@link encodeReceipt} did not write. */
export function decodeReceipt(handle: string): Receipt | undefined {
  const [queue, messageId, receive, sum] = Buffer.from(handle, 'base64').toString().split(' ');
  if (queue === undefined || messageId === undefined || receive === undefined) {
    return undefined;
  }
  return sum === checksum(`${queue} ${messageId} ${receive}`)
    ? { queue, messageId, receive: Number(receive) }
    : undefined;
}

function checksum(text: string): string {
  return createHash('md5').update(text).digest('hex').slice(0, 12);
}
