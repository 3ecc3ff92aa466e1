import { gzipSync } from 'node:zlib';
import {
  type BehaviorDocument,
  behaviorDocumentSchema,
  canonicalJson,
  releaseIdOf,
  sha256,
} from '../../../lib/contract';

/** Bytes of one chunk. A DynamoDB item may have 400 KB, its keys and attribute names included. */
export const CHUNK_BYTES = 300_000;

/** A behavior document as it is kept for good. */
export interface ReleaseContent {
  /** SHA-256 of the canonical JSON: how the text was formatted or compressed does not matter. */
  readonly digest: string;
  /** Canonical JSON, compressed by gzip, cut into pieces that fit an item. */
  readonly chunks: readonly Uint8Array[];
}

/**
 * Reads a behavior document and checks that it is the release's.
 *
 * @param place where the text came from, for the message
 * @throws Error when it is no behavior document, or not the one of the release
 */
export function parseBehaviorDocument(text: string, release: string, place: string): BehaviorDocument {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`${place} is not JSON: expected the behavior document of release ${release}`);
  }
  const result = behaviorDocumentSchema.safeParse(value);
  if (!result.success) {
    const issue = result.error.issues[0];
    throw new Error(`${place} is no behavior document: ${issue?.path.join('.') || 'document'}: ${issue?.message}`);
  }
  const document = result.data;
  if (document.release !== release) {
    throw new Error(`${place} is the behavior document of release ${document.release}, expected ${release}`);
  }
  const derived = releaseIdOf(document.manifest);
  if (derived !== release) {
    throw new Error(`${place} names release ${release}, but its manifest makes ${derived}: it was changed by hand`);
  }
  return document;
}

export function contentOf(document: BehaviorDocument): ReleaseContent {
  const text = canonicalJson(document as Parameters<typeof canonicalJson>[0]);
  const packed = gzipSync(text);
  const chunks: Uint8Array[] = [];
  for (let start = 0; start < packed.length; start += CHUNK_BYTES) {
    chunks.push(packed.subarray(start, start + CHUNK_BYTES));
  }
  return { digest: sha256(text), chunks };
}
