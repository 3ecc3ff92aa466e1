import { ScriptedOpenAiAdmin, ScriptedProvider } from '../../../rehearsal/provider';
import { serveOpenAiAdmin } from '../../support/openai-admin-server';

const ADMIN_KEY = 'sk-admin';

let time: number;
let admin: ScriptedOpenAiAdmin;
let server: Awaited<ReturnType<typeof serveOpenAiAdmin>>;

beforeEach(async () => {
  time = Date.UTC(2030, 0, 1);
  admin = new ScriptedOpenAiAdmin({ adminKey: ADMIN_KEY, project: 'proj_1', now: () => time, otherKeys: ['sk-old'] });
  server = await serveOpenAiAdmin(admin);
});
afterEach(() => server.stop());

async function call(method: string, path: string, { key = ADMIN_KEY, body }: { key?: string; body?: unknown } = {}) {
  const response = await fetch(`${server.baseUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: JSON.parse((await response.text()) || 'null') };
}

const ACCOUNTS = '/organization/projects/proj_1/service_accounts';
const models = async (key: string) => (await call('GET', '/models', { key })).status;

test('a service account has a key that is valid until the account is deleted', async () => {
  const { body } = await call('POST', ACCOUNTS, { body: { name: 'mine' } });
  expect(body).toMatchObject({
    object: 'organization.project.service_account',
    name: 'mine',
    created_at: time / 1_000,
  });
  expect(await models(body.api_key.value)).toBe(200);
  const list = await call('GET', ACCOUNTS);
  expect(list.body.data).toEqual([expect.objectContaining({ id: body.id, name: 'mine' })]);
  expect(JSON.stringify(list.body)).not.toContain(body.api_key.value);
  expect((await call('DELETE', `${ACCOUNTS}/${body.id}`)).status).toBe(200);
  expect(await models(body.api_key.value)).toBe(401);
  expect((await call('DELETE', `${ACCOUNTS}/${body.id}`)).status).toBe(404);
});

test('a service account key expires at its expiry, and other keys can be revoked', async () => {
  const { body } = await call('POST', ACCOUNTS, { body: { name: 'short', expires_in_seconds: 60 } });
  time += 59_999;
  expect(admin.accepts(body.api_key.value)).toBe(true);
  time += 1;
  expect(admin.accepts(body.api_key.value)).toBe(false);
  expect(await models('sk-old')).toBe(200);
  admin.revoke('sk-old');
  expect(await models('sk-old')).toBe(401);
});

test('accounts come in pages', async () => {
  for (let n = 0; n < 5; n += 1) {
    await call('POST', ACCOUNTS, { body: { name: `a${n}` } });
  }
  const first = await call('GET', `${ACCOUNTS}?limit=3`);
  const second = await call('GET', `${ACCOUNTS}?limit=3&after=${first.body.last_id}`);
  expect([first.body.has_more, second.body.has_more]).toEqual([true, false]);
  const names = [...first.body.data, ...second.body.data].map(({ name }: { name: string }) => name);
  expect(names).toEqual(['a0', 'a1', 'a2', 'a3', 'a4']);
});

test('rejects another admin key, another project, and unsupported requests', async () => {
  expect((await call('GET', ACCOUNTS, { key: 'sk-old' })).status).toBe(401);
  expect((await call('GET', '/organization/projects/other/service_accounts')).status).toBe(404);
  expect((await call('POST', ACCOUNTS, { body: { name: '' } })).status).toBe(400);
  expect((await call('GET', '/organization/users')).status).toBe(404);
});

test('a call may fail before or after its execution', async () => {
  admin.faultFor = () => 'failed';
  await expect(call('POST', ACCOUNTS, { body: { name: 'a' } })).rejects.toThrow();
  expect(admin.list()).toHaveLength(0);
  admin.faultFor = () => 'lost';
  await expect(call('POST', ACCOUNTS, { body: { name: 'a' } })).rejects.toThrow();
  expect(admin.list()).toHaveLength(1);
});

test('a provider with key management accepts valid keys only, and serves the management API', async () => {
  const provider = await ScriptedProvider.start({ rules: [{ name: 'all' }], seed: 1, keys: admin });
  try {
    const ask = async (key: string) => {
      const response = await fetch(`${provider.url}/v1/messages`, {
        method: 'POST',
        headers: { 'x-api-key': key, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'm', max_tokens: 10, messages: [{ role: 'user', content: 'hello' }] }),
      });
      return response.status;
    };
    expect(await ask('sk-old')).toBe(200);
    admin.revoke('sk-old');
    expect(await ask('sk-old')).toBe(401);
    const { status } = await fetch(`${provider.url}/v1${ACCOUNTS}`, {
      headers: { authorization: `Bearer ${ADMIN_KEY}` },
    });
    expect(status).toBe(200);
  } finally {
    await provider.stop();
  }
});
