import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { PayloadLostError, PayloadStore } from '../../../../lambda/shared/tasks/payload-store';
import { sha256 } from '../../../../lib/contract';

/** A bucket of which only the answer to GetObject matters. */
function answering(get: () => unknown): PayloadStore {
  const send = async (command: unknown) => {
    if (!(command instanceof GetObjectCommand)) {
      throw new Error('only reads are answered');
    }
    return get();
  };
  return new PayloadStore({ send } as unknown as S3Client, 'payloads');
}

const ref = { key: 'tasks/t/input.json', bytes: 2, sha256: sha256('{}') };
const body = (text: string) => ({ Body: { transformToByteArray: async () => Buffer.from(text) } });

function failing(name: string): () => never {
  return () => {
    throw Object.assign(new Error(name), { name });
  };
}

test('gives what was written', async () => {
  await expect(answering(() => body('{}')).get(ref)).resolves.toEqual({});
});

test('fails for good when the object is gone', async () => {
  await expect(answering(failing('NoSuchKey')).get(ref)).rejects.toThrow(PayloadLostError);
});

test('fails for good when the object is another than was written', async () => {
  await expect(answering(() => body('[]')).get(ref)).rejects.toThrow(/is not what was written there/);
});

test.each(['SlowDown', 'AccessDenied'])('fails for now when S3 answers %s: an operator can fix that', async (name) => {
  const failure = await answering(failing(name))
    .get(ref)
    .catch((error: unknown) => error);
  expect(failure).not.toBeInstanceOf(PayloadLostError);
  expect(failure).toHaveProperty('name', name);
});
