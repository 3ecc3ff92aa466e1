import { createSsm } from '../../../rehearsal/services/ssm';
import { type ClientSettings, startRig } from '../api-server/support';

test('GetParameter, as far as the caller may', async () => {
  const ssm = createSsm();
  ssm.putParameter('/agents/stage', 'blue');
  const rig = await startRig(() => [ssm.service]);
  const get = async ({ credentials }: ClientSettings, Name: string) => {
    const response = await fetch(rig.apiServer.url, {
      method: 'POST',
      body: JSON.stringify({ Name }),
      headers: {
        authorization: `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/20300101/us-east-1/ssm/aws4_request`,
        'x-amz-target': 'AmazonSSM.GetParameter',
      },
    });
    return response.json();
  };
  try {
    const arn = 'arn:aws:ssm:us-east-1:123456789012:parameter/agents/stage';
    const reader = rig.role('reader', { Effect: 'Allow', Action: 'ssm:GetParameter', Resource: arn });
    expect(await get(reader, '/agents/stage')).toMatchObject({
      Parameter: { ARN: arn, Type: 'String', Value: 'blue' },
    });
    expect(await get(reader, '/agents/other')).toMatchObject({ __type: 'AccessDeniedException' });
    expect(await get(rig.operator, '/agents/other')).toMatchObject({ __type: 'ParameterNotFound' });
  } finally {
    await rig.stop();
  }
});

test('the account looks bootstrapped to every template of CDK 2', () => {
  const ssm = createSsm();
  expect(Number(ssm.parameter('/cdk-bootstrap/hnb659fds/version'))).toBeGreaterThanOrEqual(21);
  expect(ssm.parameter('/none')).toBeUndefined();
});
