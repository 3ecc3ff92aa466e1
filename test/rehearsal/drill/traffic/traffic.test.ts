import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ApiClient, RETRY_WHEN_THROTTLED } from '../../../../rehearsal/drill/traffic/api-client';
import { TrafficGenerator } from '../../../../rehearsal/drill/traffic/traffic';
import { TrafficPlan } from '../../../../rehearsal/drill/traffic/traffic-plan';

/** Requests per real second. */
const RATE = 100;

let server: Server;
let client: ApiClient;
/** Responses that the server has not sent yet. */
let pending: (() => void)[];
/** Stopped after each test, also after a failed one. */
let generator: TrafficGenerator | undefined;

beforeEach(async () => {
  pending = [];
  server = createServer((request, response) => {
    request.resume();
    pending.push(() => {
      response.writeHead(202, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ id: 't-1', status: 'queued', links: { self: '/tasks/t-1' } }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const credentials = { accessKeyId: 'a', secretAccessKey: 's', sessionToken: 't' };
  client = new ApiClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, credentials, Date.now);
});

afterEach(async () => {
  const paused = generator?.pause();
  client.close();
  server.closeAllConnections();
  await paused;
  await new Promise((resolve) => server.close(resolve));
});

function traffic(isBacklogFull: (inProgress: number) => boolean): TrafficGenerator {
  const plan = new TrafficPlan({ users: 3, tasks: 1_000, ratePerSecond: RATE, inputs: ['x'] }, 1, {
    idempotent: false,
  });
  return new TrafficGenerator({
    plan,
    client,
    ratePerRealSecond: RATE,
    now: Date.now,
    isBacklogFull,
    retryPolicy: RETRY_WHEN_THROTTLED,
  });
}

const real = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

test('pauses while a slow cloud has a full backlog: requests in flight count as queued tasks', async () => {
  generator = traffic((inProgress) => inProgress >= 20);
  generator.start();
  await real(1_500);
  // The backlog is checked every 100 ms, and up to 200 ms are made up for after a pause.
  expect(generator.tasks).toBeGreaterThanOrEqual(20);
  expect(generator.tasks).toBeLessThanOrEqual(20 + RATE * 0.3);
  const held = generator.tasks;
  await real(300);
  expect(generator.tasks).toBe(held);
  for (const answer of pending.splice(0)) {
    answer();
  }
  await real(500);
  expect(generator.tasks).toBeGreaterThan(held);
  const pausing = generator.pause();
  while (pending.length > 0) {
    pending.shift()?.();
    await real(10);
  }
  await pausing;
});
