import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { createS3, type S3 } from '../../../rehearsal/services/s3';
import { ManualClock } from '../../support/manual-clock';
import { Resource, type Rig, startRig } from '../api-server/support';

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
    s3 = createS3({ clock: new ManualClock(), iam });
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

test('refuses lists and ranges by name', async () => {
  const client = new S3Client(rig.operator);
  const refused = { name: 'NotRehearsable' };
  await expect(client.send(new ListObjectsV2Command({ Bucket: BUCKET }))).rejects.toMatchObject(refused);
  await expect(client.send(new GetObjectCommand({ ...object, Range: 'bytes=0-1' }))).rejects.toMatchObject({
    ...refused,
    message: 'not rehearsable: s3.GetObject with range',
  });
});

test('refuses an access key that was not given out', async () => {
  const credentials = { accessKeyId: 'AKIAUNKNOWN', secretAccessKey: 'x' };
  await expect(new S3Client({ ...rig.operator, credentials }).send(new GetObjectCommand(object))).rejects.toMatchObject(
    {
      name: 'InvalidAccessKeyId',
    },
  );
});

describe('a bucket of the stack', () => {
  const make = async (name: string, properties: object = {}) => {
    const bucket = Resource.of(s3?.handlers ?? [], 'AWS::S3::Bucket', name);
    const { physicalId, attributes } = await bucket.create({ ...properties });
    return { bucket, name: physicalId, attributes };
  };
  /** What the CDK's bucket writes with encryption, lifecycle rules, no public access and TLS alone. */
  const usual = {
    BucketEncryption: {
      ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }],
    },
    LifecycleConfiguration: { Rules: [{ Prefix: 'tasks/', ExpirationInDays: 30, Status: 'Enabled' }] },
    PublicAccessBlockConfiguration: {
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    },
  };
  const onlyTls = (arn: string) => ({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Deny',
        Principal: { AWS: '*' },
        Action: 's3:*',
        Resource: [arn, `${arn}/*`],
        Condition: { Bool: { 'aws:SecureTransport': 'false' } },
      },
    ],
  });
  const writer = (name: string) =>
    new S3Client(
      rig.role(`writer-of-${name}`, {
        Effect: 'Allow',
        Action: ['s3:PutObject', 's3:GetObject', 's3:DeleteObject'],
        Resource: `arn:aws:s3:::${name}/tasks/*`,
      }),
    );

  test('what is put comes back as it was, with its type, metadata and checksum', async () => {
    const { name, attributes } = await make('Payloads', usual);
    expect(name).toMatch(/^test-payloads-[a-z0-9]{12}$/);
    await Resource.of(s3?.handlers ?? [], 'AWS::S3::BucketPolicy').create({
      Bucket: name,
      PolicyDocument: onlyTls(String(attributes.Arn)),
    });
    const client = writer(name);
    const place = { Bucket: name, Key: 'tasks/t-1/ä b+c.json' };
    const body = JSON.stringify({ text: 'ü'.repeat(100_000) });
    const put = await client.send(
      new PutObjectCommand({ ...place, Body: body, ContentType: 'application/json', Metadata: { task: 't-1' } }),
    );
    expect(put.ChecksumCRC32).toBeDefined();
    const got = await client.send(new GetObjectCommand(place));
    expect(await got.Body?.transformToString()).toBe(body);
    expect(got).toMatchObject({
      ContentType: 'application/json',
      Metadata: { task: 't-1' },
      ETag: put.ETag,
      ChecksumCRC32: put.ChecksumCRC32,
    });
    expect(s3?.keys(name)).toEqual([place.Key]);
  });

  test('bytes that are compressed stay so, and a second put replaces the first', async () => {
    const { name } = await make('Replaced');
    const client = writer(name);
    const place = { Bucket: name, Key: 'tasks/1' };
    await client.send(new PutObjectCommand({ ...place, Body: 'first' }));
    await client.send(
      new PutObjectCommand({ ...place, Body: Buffer.from([0x1f, 0x8b, 0, 255]), ContentEncoding: 'gzip' }),
    );
    const got = await client.send(new GetObjectCommand(place));
    expect([...((await got.Body?.transformToByteArray()) ?? [])]).toEqual([0x1f, 0x8b, 0, 255]);
    expect(got.ContentEncoding).toBe('gzip');
  });

  test('a deleted object is gone, and deleting it again is no error', async () => {
    const { name } = await make('Deleted');
    const client = new S3Client(rig.operator);
    const place = { Bucket: name, Key: 'tasks/1' };
    await client.send(new PutObjectCommand({ ...place, Body: 'x' }));
    await client.send(new DeleteObjectCommand(place));
    await client.send(new DeleteObjectCommand(place));
    await expect(client.send(new GetObjectCommand(place))).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  test('refuses to put on an object that is there, if asked to', async () => {
    const { name } = await make('Once');
    const put = () =>
      new S3Client(rig.operator).send(
        new PutObjectCommand({ Bucket: name, Key: 'tasks/1', Body: 'x', IfNoneMatch: '*' }),
      );
    await put();
    await expect(put()).rejects.toMatchObject({ name: 'PreconditionFailed', $metadata: { httpStatusCode: 412 } });
  });

  test('refuses writers whose policy does not reach the key', async () => {
    const { name } = await make('Guarded');
    await expect(
      writer(name).send(new PutObjectCommand({ Bucket: name, Key: 'transcripts/1', Body: 'x' })),
    ).rejects.toMatchObject({
      name: 'AccessDenied',
      message: expect.stringContaining(`s3:PutObject on resource: arn:aws:s3:::${name}/transcripts/1`),
    });
  });

  test("refuses by the bucket's policy what the writer's own allows", async () => {
    const { name, attributes } = await make('Closed');
    const [statement] = onlyTls(String(attributes.Arn)).Statement;
    await Resource.of(s3?.handlers ?? [], 'AWS::S3::BucketPolicy').create({
      Bucket: name,
      PolicyDocument: { Statement: [{ ...statement, Condition: { Bool: { 'aws:SecureTransport': 'true' } } }] },
    });
    await expect(
      writer(name).send(new PutObjectCommand({ Bucket: name, Key: 'tasks/1', Body: 'x' })),
    ).rejects.toMatchObject({ name: 'AccessDenied', message: expect.stringContaining('explicit deny') });
  });

  test('a key of the account must be allowed as well', async () => {
    const key = 'arn:aws:kms:us-east-1:123456789012:key/1';
    const { name } = await make('Encrypted', {
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [
          { ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: key } },
        ],
      },
    });
    await expect(
      writer(name).send(new PutObjectCommand({ Bucket: name, Key: 'tasks/1', Body: 'x' })),
    ).rejects.toMatchObject({
      name: 'AccessDenied',
      message: expect.stringContaining(`kms:GenerateDataKey on resource: ${key}`),
    });
  });

  test('refuses a checksum that is not the body’s', async () => {
    const { name } = await make('Checked');
    await expect(
      new S3Client(rig.operator).send(
        new PutObjectCommand({ Bucket: name, Key: 'tasks/1', Body: 'x', ChecksumSHA256: 'AAAA' }),
      ),
    ).rejects.toMatchObject({ name: 'BadDigest' });
  });

  test('refuses a bucket that is not there, and bodies of unknown length', async () => {
    const client = new S3Client(rig.operator);
    await expect(client.send(new PutObjectCommand({ Bucket: 'nowhere', Key: 'a', Body: 'x' }))).rejects.toMatchObject({
      name: 'NoSuchBucket',
    });
    const { name } = await make('Streams');
    const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };
    const streaming = new S3Client({ ...rig.operator, logger: silent });
    await expect(
      streaming.send(new PutObjectCommand({ Bucket: name, Key: 'a', Body: Readable.from(['x']), ContentLength: 1 })),
    ).rejects.toMatchObject({ name: 'NotRehearsable' });
  });

  test('fails to be deleted until it is empty', async () => {
    const { bucket, name } = await make('Full');
    const client = new S3Client(rig.operator);
    const place = { Bucket: name, Key: 'tasks/1' };
    await client.send(new PutObjectCommand({ ...place, Body: 'x' }));
    await expect(bucket.delete()).rejects.toThrow('not empty (Service: S3, Status Code: 409)');
    await client.send(new DeleteObjectCommand(place));
    await bucket.delete();
    await expect(client.send(new HeadObjectCommand(place))).rejects.toMatchObject({ name: 'NotFound' });
  });

  test('refuses features outside the rehearsal by name: versions', async () => {
    expect(s3?.handlers[0]?.properties).not.toContain('VersioningConfiguration');
    await expect(make('Versions', { VersioningConfiguration: { Status: 'Enabled' } })).rejects.toThrow(
      'VersioningConfiguration',
    );
  });
});

test('says which file is behind an object', () => {
  expect(s3?.fileOf(BUCKET, KEY)).toBe(join(directory, 'behavior.json'));
  expect(s3?.fileOf(BUCKET, 'missing')).toBeUndefined();
});
