import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ApiClient } from '../../../../rehearsal/drill/traffic/api-client';
import { RETRY_WHEN_THROTTLED } from '../../../../rehearsal/drill/traffic/retrying-caller';
import { TrafficGenerator } from '../../../../rehearsal/drill/traffic/traffic';
import { TrafficPlan } from '../../../../rehearsal/drill/traffic/traffic-plan';

/** Requests per real second. */
const RATE = 100;

let server: Server;
let client: ApiClient;
/** Answers that the server owes. */
let owed: (() => void)[];
/** What a test started: a failed one leaves it running. */
let generator: TrafficGenerator | undefined;

beforeEach(async () => {
  owed = [];
  server = createServer((request, response) => {
    request.resume();
    owed.push(() => {
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

function traffic(enoughWaiting: (inProgress: number) => boolean): TrafficGenerator {
  const plan = new TrafficPlan({ users: 3, tasks: 1_000, ratePerSecond: RATE, inputs: ['x'] }, 1, {
    repeatable: false,
  });
  return new TrafficGenerator(plan, client, RATE, Date.now, enoughWaiting, RETRY_WHEN_THROTTLED);
}

const real = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

test('a cloud that is slow to accept is not sent more and more: requests on their way count as tasks that wait', async () => {
  generator = traffic((inProgress) => inProgress >= 20);
  generator.start();
  await real(1_500);
  // Looks are a tenth of a second apart, and up to a fifth of one is caught up on after a pause: less than the 64 requests that
  // may be on their way in any case.
  expect(generator.tasks).toBeGreaterThanOrEqual(20);
  expect(generator.tasks).toBeLessThanOrEqual(20 + RATE * 0.3);
  const held = generator.tasks;
  await real(300);
  expect(generator.tasks).toBe(held);
  for (const answer of owed.splice(0)) {
    answer();
  }
  await real(500);
  expect(generator.tasks).toBeGreaterThan(held);
  const pausing = generator.pause();
  while (owed.length > 0) {
    owed.shift()?.();
    await real(10);
  }
  await pausing;
});
