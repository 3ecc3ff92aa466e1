import type { LookupAddress } from 'node:dns';
import { RefusedDestination, type Resolve } from '../../../../lambda/functions/webhook/destination';
import { post } from '../../../../lambda/functions/webhook/post';
import { answering, type Receiver, startReceiver } from './support';

let receiver: Receiver;
let other: Receiver;
beforeEach(async () => {
  receiver = await startReceiver();
  other = await startReceiver();
});
afterEach(async () => {
  await receiver.close();
  await other.close();
});

const LOCAL: LookupAddress = { address: '127.0.0.1', family: 4 };
const never = new AbortController().signal;

/** Resolves names as told, one answer after the other, and counts. */
function resolver(answers: Readonly<Record<string, readonly (readonly LookupAddress[])[]>>) {
  const asked: string[] = [];
  const resolve: Resolve = async (hostname) => {
    const turn = asked.filter((one) => one === hostname).length;
    asked.push(hostname);
    const all = answers[hostname];
    const answer = all?.[Math.min(turn, all.length - 1)];
    if (answer === undefined) {
      throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: 'ENOTFOUND' });
    }
    return answer;
  };
  return { asked, resolve };
}

const send = (
  url: string,
  { privateHosts = ['inside.test'], ...answers }: { privateHosts?: string[]; resolve?: Resolve } = {},
  signal: AbortSignal = never,
) =>
  post(
    { url, headers: { 'content-type': 'application/json', 'content-length': '2' }, body: '{}' },
    { privateHosts, resolve: answers.resolve ?? resolver({ 'inside.test': [[LOCAL]] }).resolve },
    signal,
  );

test('posts to a private host of the deployment, over plain HTTP', async () => {
  await expect(send(`http://inside.test:${receiver.port}/hooks?a=1`)).resolves.toEqual({
    status: 204,
    host: `inside.test:${receiver.port}`,
  });
  expect(receiver.received).toMatchObject([
    { path: '/hooks?a=1', body: '{}', headers: { host: `inside.test:${receiver.port}` } },
  ]);
});

test.each([
  ['plain http', 'http://outside.test/', true],
  ['another protocol', 'ftp://outside.test/', true],
  ['a password', 'https://user:secret@outside.test/', true],
  ['an address of this machine', 'https://127.0.0.1/', false],
  ['an address of this machine, as a number', 'https://2130706433/', false],
  ['an address of this machine, in hexadecimal', 'https://0x7f.1/', false],
  ['an address of this machine, over IPv6', 'https://[::1]/', false],
  ['an IPv4 address in IPv6', 'https://[::ffff:169.254.169.254]/', false],
  ['the metadata service', 'https://169.254.169.254/latest/meta-data/', false],
])('refuses %s: %s', async (_, url, lasting) => {
  const { asked, resolve } = resolver({ 'outside.test': [[{ address: '1.1.1.1', family: 4 }]] });
  const error = await send(url, { resolve }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(RefusedDestination);
  expect(error).toMatchObject({ lasting });
  expect(String(error)).not.toContain('secret');
  expect(asked).toEqual([]);
});

test('refuses a host of which one address is private', async () => {
  const { resolve } = resolver({ 'outside.test': [[{ address: '1.1.1.1', family: 4 }, LOCAL]] });
  await expect(send('https://outside.test/', { resolve })).rejects.toThrow(
    'outside.test is refused: its address 127.0.0.1 is not public',
  );
});

test('refuses a host that only looks like a private host of the deployment', async () => {
  const { resolve } = resolver({ 'sub.inside.test': [[LOCAL]], 'inside.test.evil.test': [[LOCAL]] });
  await expect(send('https://sub.inside.test/', { resolve })).rejects.toThrow(RefusedDestination);
  await expect(send('https://inside.test.evil.test/', { resolve })).rejects.toThrow(RefusedDestination);
});

test('a name is resolved once for each hop, and connected to where it was checked', async () => {
  // The second answer would lead to another server: the function does not ask for it.
  const { asked, resolve } = resolver({
    'inside.test': [[LOCAL], [{ address: '127.0.0.2', family: 4 }]],
  });
  await expect(send(`http://inside.test:${receiver.port}/`, { resolve })).resolves.toMatchObject({ status: 204 });
  expect(asked).toEqual(['inside.test']);
});

test('a name that has changed to a private address by the next hop is refused', async () => {
  receiver.answer = answering(307, { location: `https://moving.test:${other.port}/` });
  const { resolve } = resolver({
    'inside.test': [[LOCAL]],
    'moving.test': [[LOCAL]],
  });
  await expect(send(`http://inside.test:${receiver.port}/`, { resolve })).rejects.toThrow(RefusedDestination);
  expect(other.received).toEqual([]);
});

test.each([307, 308])('follows a redirect %d with method and body', async (status) => {
  receiver.answer = answering(status, { location: `http://inside.test:${other.port}/there` });
  await expect(send(`http://inside.test:${receiver.port}/`)).resolves.toEqual({
    status: 204,
    host: `inside.test:${other.port}`,
  });
  expect(other.received).toMatchObject([{ path: '/there', body: '{}' }]);
});

test.each([301, 302, 303])('does not follow a redirect %d, for it would become a GET', async (status) => {
  receiver.answer = answering(status, { location: `http://inside.test:${other.port}/` });
  await expect(send(`http://inside.test:${receiver.port}/`)).resolves.toMatchObject({ status });
  expect(other.received).toEqual([]);
});

test('refuses a redirect to a private address', async () => {
  receiver.answer = answering(308, { location: `http://127.0.0.1:${other.port}/` });
  await expect(send(`http://inside.test:${receiver.port}/`)).rejects.toThrow(RefusedDestination);
  receiver.answer = answering(308, { location: 'https://169.254.169.254/' });
  await expect(send(`http://inside.test:${receiver.port}/`)).rejects.toThrow(RefusedDestination);
  expect(other.received).toEqual([]);
});

test('gives up after three redirects', async () => {
  receiver.answer = answering(307, { location: '/again' });
  await expect(send(`http://inside.test:${receiver.port}/`)).resolves.toMatchObject({ status: 307 });
  expect(receiver.received).toHaveLength(4);
});

test('reads a limited part of the answer and is told what to wait for', async () => {
  let written = 0;
  receiver.answer = (_, response) => {
    response.writeHead(503, { 'retry-after': '120' });
    const chunk = Buffer.alloc(16 * 1024);
    const more = () => {
      written += chunk.length;
      if (!response.destroyed && written < 100 * 1024 * 1024) {
        response.write(chunk, (error) => error ?? more());
      }
    };
    more();
  };
  await expect(send(`http://inside.test:${receiver.port}/`)).resolves.toMatchObject({
    status: 503,
    retryAfter: '120',
  });
  expect(written).toBeLessThan(50 * 1024 * 1024);
});

test('an answer whose rest never comes still counts', async () => {
  receiver.answer = (_, response) => {
    response.writeHead(200).write('so far');
  };
  const signal = AbortSignal.timeout(300);
  await expect(send(`http://inside.test:${receiver.port}/`, {}, signal)).resolves.toMatchObject({ status: 200 });
});

test('fails when the time is over: with no answer, and with no address', async () => {
  receiver.answer = () => undefined;
  const limit = () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('out of time')), 100);
    return controller.signal;
  };
  await expect(send(`http://inside.test:${receiver.port}/`, {}, limit())).rejects.toThrow('out of time');
  const resolve: Resolve = () => new Promise(() => undefined);
  await expect(send(`http://inside.test:${receiver.port}/`, { resolve }, limit())).rejects.toThrow('out of time');
});

test('fails for a host without an address, a redirect to nowhere, a connection that breaks', async () => {
  const { resolve } = resolver({ 'empty.test': [[]] });
  await expect(send('https://nowhere.test/', { resolve })).rejects.toThrow('nowhere.test could not be resolved');
  await expect(send('https://empty.test/', { resolve })).rejects.toThrow('empty.test has no address');
  receiver.answer = answering(307, { location: 'https://' });
  await expect(send(`http://inside.test:${receiver.port}/`)).rejects.toThrow('redirects to what is no URL');
  receiver.answer = (_, response) => response.destroy();
  await expect(send(`http://inside.test:${receiver.port}/`)).rejects.toThrow();
});
