import { randomBytes } from 'node:crypto';
import { CHUNK_BYTES, contentOf, parseBehaviorDocument } from '../../../../lambda/functions/recorder/release-content';
import { unpackContent } from '../../../support/release-content';
import { behaviorDocument } from './support';

const document = behaviorDocument();

test('a document is read whatever its formatting, with one digest', () => {
  const pretty = parseBehaviorDocument(JSON.stringify(document, undefined, 4), document.release, 'here');
  const plain = parseBehaviorDocument(JSON.stringify(document), document.release, 'here');
  expect(pretty).toEqual(document);
  expect(contentOf(pretty).digest).toBe(contentOf(plain).digest);
});

test('content comes back as it was', () => {
  expect(JSON.parse(unpackContent(contentOf(document).chunks))).toEqual(document);
});

test('content that compresses badly is cut into pieces that fit an item', () => {
  const large = { ...document, prompts: { answer: randomBytes(700_000).toString('base64') } };
  const { chunks } = contentOf(large);
  expect(chunks.length).toBeGreaterThan(2);
  expect(Math.max(...chunks.map(({ length }) => length))).toBe(CHUNK_BYTES);
  expect(JSON.parse(unpackContent(chunks))).toEqual(large);
});

test.each([
  ['no JSON', '{', 'is not JSON'],
  ['no behavior document', '{"schema":1}', 'is no behavior document: release'],
  ['a document with more in it', JSON.stringify({ ...document, extra: 1 }), 'is no behavior document'],
  ['the document of another release', JSON.stringify(behaviorDocument('Be rude.')), 'of release r-'],
  [
    'a document changed by hand',
    JSON.stringify({ ...behaviorDocument('Be rude.'), release: document.release }),
    'was changed by hand',
  ],
])('refuses %s', (_, text, reason) => {
  const parse = () => parseBehaviorDocument(text, document.release, 's3://bucket/key');
  expect(parse).toThrow('s3://bucket/key');
  expect(parse).toThrow(reason);
});
