import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { OpenAiAdmin } from '../../../../lambda/functions/rotation/openai-admin';
import { ScriptedOpenAiAdmin } from '../../../../rehearsal/provider';
import { serveOpenAiAdmin } from '../../../support/openai-admin-server';

let stop: () => Promise<void>;
afterEach(() => stop());

/** A server that answers everything with this. */
async function answering(status: number, body: string, headers: Record<string, string> = {}): Promise<OpenAiAdmin> {
  const server: Server = createServer((_, response) => {
    response.writeHead(status, headers);
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return new OpenAiAdmin(
    async () => 'sk-admin',
    'proj 1',
    `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
  );
}

test('a key expires by itself where that is asked for, and not otherwise', async () => {
  let time = Date.UTC(2030, 0, 1);
  const provider = new ScriptedOpenAiAdmin({ adminKey: 'sk-admin', project: 'proj_1', now: () => time });
  const server = await serveOpenAiAdmin(provider);
  stop = server.stop;
  const admin = new OpenAiAdmin(async () => 'sk-admin', 'proj_1', server.baseUrl);
  const short = await admin.create('short', 3_600);
  const long = await admin.create('long');
  time += 3_600_000;
  expect([short, long].map(({ key }) => provider.accepts(key))).toEqual([false, true]);
});

test('deleting an account that is gone is no error', async () => {
  const admin = await answering(404, '{"error":{"code":"not_found"}}');
  await expect(admin.delete('svc_acct_1')).resolves.toBeUndefined();
});

test.each([
  [500, '{"error":{"type":"server_error","message":"sk-planted"}}', /answered 500 \(server_error\)$/],
  [
    403,
    '{"error":{"code":"missing_scope","message":"sk-planted"}}',
    /answered 403 \(missing_scope\); put an admin key/,
  ],
  [502, '<html>sk-planted</html>', /answered 502$/],
  [
    200,
    '{"id":"svc_acct_1","api_key":{"wrong":"sk-planted"}}',
    /answered 200 with unexpected content in: api_key.value/,
  ],
])('fails for an answer %d %s, and repeats nothing of it', async (status, body, message) => {
  const admin = await answering(status, body);
  const failure = await admin.create('mine').catch((error: Error) => error);
  expect(String(failure)).toMatch(message);
  expect(String(failure)).toContain('POST http://127.0.0.1');
  expect(String(failure)).not.toContain('planted');
});

test('refuses to follow a redirect with the admin key', async () => {
  const admin = await answering(307, '', { location: 'http://127.0.0.1:9/elsewhere' });
  await expect(admin.list()).rejects.toThrow(/GET .* failed: .*redirect/);
});

test('fails with the reason when no server answers', async () => {
  stop = async () => {};
  const admin = new OpenAiAdmin(async () => 'sk-admin', 'proj_1', 'http://127.0.0.1:9/v1');
  await expect(admin.list()).rejects.toThrow(
    /GET http:\/\/127.0.0.1:9\/v1\/organization\/projects\/proj_1\/service_accounts failed: /,
  );
});
