import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { createS3, type S3 } from '../../../rehearsal/services/s3';
import { type Rig, startRig } from '../front/support';

const BUCKET = 'cdk-hnb659fds-assets-123456789012-us-east-1';
const KEY = 'behavior/ab cd.json';
const object = { Bucket: BUCKET, Key: KEY };

let directory: string;
let s3: S3 | undefined;
let rig: Rig;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'rehearsal-s3-'));
  const file = join(directory, 'behavior.json');
  writeFileSync(file, '{"schema":1}');
  rig = await startRig((iam) => {
    s3 = createS3({ judge: (principal, permission) => iam.judge(principal, permission) });
    s3.registerObject(BUCKET, KEY, file);
    return [s3.service];
  });
});
afterAll(async () => {
  await rig.stop();
  rmSync(directory, { recursive: true });
});

const read = { Effect: 'Allow', Action: 's3:GetObject', Resource: `arn:aws:s3:::${BUCKET}/*` };
const list = { Effect: 'Allow', Action: 's3:ListBucket', Resource: `arn:aws:s3:::${BUCKET}` };
const missing = new GetObjectCommand({ ...object, Key: 'missing.json' });

test('an asset is read with its type, length and digest', async () => {
  const client = new S3Client(rig.role('reader', read));
  const output = await client.send(new GetObjectCommand(object));
  expect(await output.Body?.transformToString()).toBe('{"schema":1}');
  expect(output).toMatchObject({ ContentLength: 12, ETag: '"62bcaa3d74adc8575ed50f3aad17f099"' });
  const head = await client.send(new HeadObjectCommand(object));
  expect(head).toMatchObject({ ContentLength: 12, ETag: output.ETag });
  expect(head.LastModified).toBeInstanceOf(Date);
});

test('a missing key is NoSuchKey for those who may list the bucket', async () => {
  const client = new S3Client(rig.role('lister', read, list));
  await expect(client.send(missing)).rejects.toMatchObject({
    name: 'NoSuchKey',
    message: 'The specified key does not exist.',
    $metadata: { httpStatusCode: 404 },
  });
  await expect(client.send(new HeadObjectCommand({ ...object, Key: 'missing' }))).rejects.toMatchObject({
    name: 'NotFound',
  });
});

test('refuses to tell others that a key is missing', async () => {
  const client = new S3Client(rig.role('reader', read));
  await expect(client.send(missing)).rejects.toMatchObject({
    name: 'AccessDenied',
    $metadata: { httpStatusCode: 403 },
  });
});

test('refuses an object that the policy does not name', async () => {
  const client = new S3Client(rig.role('other', { ...read, Resource: `arn:aws:s3:::${BUCKET}/other.json` }));
  await expect(client.send(new GetObjectCommand(object))).rejects.toMatchObject({
    name: 'AccessDenied',
    message: expect.stringContaining(`s3:GetObject on resource: arn:aws:s3:::${BUCKET}/${KEY}`),
  });
});

test('refuses writes, lists and ranges by name', async () => {
  const client = new S3Client(rig.operator);
  const refused = { name: 'NotRehearsable' };
  await expect(client.send(new PutObjectCommand({ ...object, Body: 'x' }))).rejects.toMatchObject(refused);
  await expect(client.send(new ListObjectsV2Command({ Bucket: BUCKET }))).rejects.toMatchObject(refused);
  await expect(client.send(new GetObjectCommand({ ...object, Range: 'bytes=0-1' }))).rejects.toMatchObject(refused);
});

test('refuses an access key that was not given out', async () => {
  const credentials = { accessKeyId: 'AKIAUNKNOWN', secretAccessKey: 'x' };
  await expect(new S3Client({ ...rig.operator, credentials }).send(new GetObjectCommand(object))).rejects.toMatchObject(
    {
      name: 'InvalidAccessKeyId',
    },
  );
});

test('says which file is behind an object', () => {
  expect(s3?.fileOf(BUCKET, KEY)).toBe(join(directory, 'behavior.json'));
  expect(s3?.fileOf(BUCKET, 'missing')).toBeUndefined();
});
