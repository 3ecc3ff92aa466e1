import { webhookProblem } from '../../../../lambda/functions/router/webhook-url';

const policy = { privateHosts: ['hooks.corp', '10.1.2.3'] };

test.each([
  'https://example.com',
  'https://example.com:8443/a?b=c#d',
  'https://93.184.216.34/',
  'https://[2606:2800:220:1::1]/',
  'http://hooks.corp/in',
  'https://HOOKS.corp:9000/in',
  'http://10.1.2.3:8080/',
])('%s is let through', (url) => {
  expect(webhookProblem(url, policy)).toBeUndefined();
});

test.each([
  ['http://example.com/', 'must be an https URL, got http://example.com'],
  ['https://me:secret@example.com/', 'must not carry a user name'],
  ['http://me@hooks.corp/', 'must not carry a user name'],
  ['https://localhost/', 'must lead to a public address, got localhost'],
  ['https://a.localhost/', 'must lead to a public address'],
  ['https://127.0.0.1/', 'got 127.0.0.1'],
  // Other ways to write the same addresses.
  ['https://2130706433/', 'got 127.0.0.1'],
  ['https://0x7f.1/', 'got 127.0.0.1'],
  ['https://10.0.0.1./', 'got 10.0.0.1'],
  ['https://169.254.169.254/latest/meta-data', 'got 169.254.169.254'],
  ['https://192.168.1.1/', 'must lead to a public address'],
  ['https://100.64.0.1/', 'must lead to a public address'],
  ['https://0.0.0.0/', 'must lead to a public address'],
  ['https://[::1]/', 'must lead to a public address'],
  ['https://[fd00:ec2::254]/', 'must lead to a public address'],
  ['https://[fe80::1]/', 'must lead to a public address'],
  ['https://[::ffff:10.0.0.1]/', 'must lead to a public address'],
  ['https://[64:ff9b::a00:1]/', 'must lead to a public address'],
])('refuses %s', (url, problem) => {
  expect(webhookProblem(url, policy)).toContain(problem);
});
