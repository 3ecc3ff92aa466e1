import { randomBytes } from 'node:crypto';

const ROOT = /(?:^|;)\s*Root=(1-[0-9a-f]{8}-[0-9a-f]{24})(?:;|$)/i;
const HEADER = /^[\x20-\x7e]{1,512}$/;

/**
 * The header if it is an X-Ray trace header, else undefined. SQS refuses a message whose trace header it cannot read, and
 * the header comes from the caller.
 */
export function traceHeaderOf(header: string | undefined): string | undefined {
  return header !== undefined && HEADER.test(header) && ROOT.test(header) ? header : undefined;
}

/** The trace that the header belongs to: `1-<8 digits>-<24 digits>`. */
export function traceRootOf(header: string | undefined): string | undefined {
  return header === undefined ? undefined : ROOT.exec(header)?.[1]?.toLowerCase();
}

/** Header of a new, sampled trace that starts at the given time (milliseconds since 1970). */
export function newTraceHeader(now: number): string {
  const seconds = Math.floor(now / 1000)
    .toString(16)
    .padStart(8, '0');
  return `Root=1-${seconds}-${randomBytes(12).toString('hex')};Sampled=1`;
}
