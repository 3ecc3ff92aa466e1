import { signed } from '../../../../rehearsal/drill/traffic/sigv4';

const credentials = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: '',
};
const scope = { service: 'service', region: 'us-east-1' };
const at = Date.UTC(2015, 7, 30, 12, 36, 0);

test('signs as in the published test vector (get-vanilla)', () => {
  const request = { method: 'GET', url: new URL('http://example.amazonaws.com/'), headers: {}, body: '' };
  expect(signed(request, credentials, scope, at)).toEqual({
    host: 'example.amazonaws.com',
    'x-amz-date': '20150830T123600Z',
    authorization:
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  });
});

test('signs the session token, every header and the body', () => {
  const request = {
    method: 'POST',
    url: new URL('http://host/a%20b?x=1'),
    headers: { 'Content-Type': 'x' },
    body: 'b',
  };
  const session = { ...credentials, sessionToken: 'token' };
  const headers = signed(request, session, scope, at);
  expect(headers.authorization).toContain('SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,');
  const signature = (overrides: object) => signed({ ...request, ...overrides }, session, scope, at).authorization;
  expect(signature({ body: 'c' })).not.toBe(headers.authorization);
  expect(signature({ url: new URL('http://host/a%20b?x=2') })).not.toBe(headers.authorization);
});
