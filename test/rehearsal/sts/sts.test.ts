import { createSts } from '../../../rehearsal/services/sts';
import { type ClientSettings, startRig } from '../api-server/support';

test('GetCallerIdentity names the session of the caller, without any permission', async () => {
  const rig = await startRig(() => [createSts().service]);
  const ask = async ({ credentials }: ClientSettings, action: string) => {
    const response = await fetch(rig.apiServer.url, {
      method: 'POST',
      body: `Action=${action}&Version=2011-06-15`,
      headers: {
        authorization: `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/20300101/us-east-1/sts/aws4_request`,
        'content-type': 'application/x-www-form-urlencoded',
      },
    });
    return response.text();
  };
  try {
    const answer = await ask(rig.role('worker'), 'GetCallerIdentity');
    expect(answer).toContain('<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">');
    expect(answer).toContain('<Arn>arn:aws:sts::123456789012:assumed-role/worker/worker-session</Arn>');
    expect(await ask(rig.operator, 'AssumeRole')).toContain(
      '<Code>NotRehearsable</Code><Message>not rehearsable: sts.AssumeRole</Message>',
    );
  } finally {
    await rig.stop();
  }
});
