import type { Traffic } from '../../../../rehearsal/drill/scenario/scenario';
import { TrafficPlan } from '../../../../rehearsal/drill/traffic/traffic-plan';

const traffic: Traffic = {
  users: 10,
  tasks: 100,
  ratePerSecond: 10,
  inputs: [{ question: 'Hello from {{user}}, task {{task}}', tags: ['{{user}}', 1] }],
};
const take = (plan: TrafficPlan, count: number) => Array.from({ length: count }, () => plan.next());

describe('TrafficPlan', () => {
  test('users take turns in a fixed order, so that the tasks of a user are evenly spaced', () => {
    const users = take(new TrafficPlan(traffic, 1), 30).map((request) => request.user);
    expect(new Set(users.slice(0, 10)).size).toBe(10);
    expect(users.slice(10, 20)).toEqual(users.slice(0, 10));
    expect(users.slice(0, 10)).not.toEqual([...users.slice(0, 10)].sort());
  });

  test('replaces the placeholders of the user and of the task number', () => {
    const [first] = take(new TrafficPlan(traffic, 1), 1);
    expect(first?.body).toEqual({
      user: first?.user,
      input: { question: `Hello from ${first?.user}, task 1`, tags: [first?.user, 1] },
    });
  });

  test('depends on the seed only', () => {
    const rich: Traffic = { ...traffic, sessionsPerUser: 2, priorityWeights: { high: 1, low: 3 }, duplicateShare: 0.3 };
    expect(take(new TrafficPlan(rich, 1), 50)).toEqual(take(new TrafficPlan(rich, 1), 50));
    expect(take(new TrafficPlan(rich, 1), 50)).not.toEqual(take(new TrafficPlan(rich, 2), 50));
  });

  test('repeats the configured share of the requests once, later, with the same body and key', () => {
    const plan = new TrafficPlan({ ...traffic, duplicateShare: 0.2 }, 1);
    const requests = take(plan, 1200);
    const repeats = requests.filter((request) => request.repeats !== undefined);
    expect(plan.plannedTasks).toBe(requests.length - repeats.length);
    expect(repeats.length / plan.plannedTasks).toBeGreaterThan(0.15);
    expect(repeats.length / plan.plannedTasks).toBeLessThan(0.25);
    for (const repeat of repeats) {
      const first = requests[repeat.repeats ?? -1];
      expect(first).toMatchObject({ user: repeat.user, body: repeat.body, idempotencyKey: repeat.idempotencyKey });
      expect(first?.sequence).toBeLessThan(repeat.sequence);
    }
    expect(new Set(repeats.map((repeat) => repeat.repeats)).size).toBe(repeats.length);
  });

  test('follows the priority weights and the number of sessions', () => {
    const requests = take(
      new TrafficPlan({ ...traffic, priorityWeights: { high: 1, low: 3 }, sessionsPerUser: 2 }, 1),
      400,
    );
    const high = requests.filter((request) => request.body.priority === 'high').length;
    expect(high).toBeGreaterThan(70);
    expect(high).toBeLessThan(130);
    expect(requests.every((request) => request.body.priority !== 'normal')).toBe(true);
    expect(new Set(requests.map((request) => request.body.session)).size).toBe(20);
  });

  test('cancellations, deadlines and webhooks have the configured shares, and do not change the other requests', () => {
    const plain = take(new TrafficPlan(traffic, 1), 400);
    const rich: Traffic = {
      ...traffic,
      cancelShare: 0.2,
      deadlines: { share: 0.3, seconds: { min: 30, max: 90 } },
      webhookShare: 0.4,
    };
    const options = { idempotent: true, webhookUrl: 'http://127.0.0.1:1/' };
    const requests = take(new TrafficPlan(rich, 1, options), 400);
    expect(requests.map(({ user, body }) => [user, body.input])).toEqual(
      plain.map(({ user, body }) => [user, body.input]),
    );
    const share = (has: (request: (typeof requests)[number]) => boolean) => requests.filter(has).length / 400;
    expect(share((request) => request.cancelAfterMs !== undefined)).toBeCloseTo(0.2, 1);
    expect(share(({ body }) => body.timeoutSeconds !== undefined)).toBeCloseTo(0.3, 1);
    expect(share(({ body }) => body.webhook?.url === options.webhookUrl)).toBeCloseTo(0.4, 1);
    const seconds = requests.flatMap(({ body }) => body.timeoutSeconds ?? []);
    expect(Math.min(...seconds)).toBeGreaterThanOrEqual(30);
    expect(Math.max(...seconds)).toBeLessThanOrEqual(90);
    expect(new Set(seconds).size).toBeGreaterThan(30);
    expect(new Set(requests.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(400);
    expect(take(new TrafficPlan(rich, 1), 400).some(({ body }) => body.webhook !== undefined)).toBe(false);
  });
});
