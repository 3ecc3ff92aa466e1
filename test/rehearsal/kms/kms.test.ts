import { createKms } from '../../../rehearsal/services/kms';
import { Resource } from '../api-server/support';

test('a key has an id and an ARN, an alias its name', async () => {
  const { handlers } = createKms();
  const key = await Resource.of(handlers, 'AWS::KMS::Key').create({ EnableKeyRotation: true, KeyPolicy: {} });
  expect(key.attributes).toEqual({
    Arn: `arn:aws:kms:us-east-1:123456789012:key/${key.physicalId}`,
    KeyId: key.physicalId,
  });
  const alias = { AliasName: 'alias/agents', TargetKeyId: key.physicalId };
  expect((await Resource.of(handlers, 'AWS::KMS::Alias').create(alias)).physicalId).toBe('alias/agents');
});

test('refuses keys that could not replace an encryption key', async () => {
  const key = Resource.of(createKms().handlers, 'AWS::KMS::Key');
  await expect(key.create({ KeySpec: 'RSA_2048' })).rejects.toThrow(
    'not rehearsable: AWS::KMS::Key at Test/Thing: KeySpec',
  );
});
