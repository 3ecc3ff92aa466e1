import { gunzipSync } from 'node:zlib';

/** The canonical JSON of an archived behavior document, from the chunks that `contentOf` made. */
export function unpackContent(chunks: readonly Uint8Array[]): string {
  return gunzipSync(Buffer.concat(chunks)).toString('utf8');
}
