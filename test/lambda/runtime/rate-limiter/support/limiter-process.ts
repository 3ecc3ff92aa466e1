/**
 * One worker process under load: as many calls at once as it is told, each after leave of the limiter, from when it is told
 * to begin until its time is over. Then it says when each was made.
 */
import { once, setMaxListeners } from 'node:events';
import { RateLimitStore } from '../../../../../lambda/runtime/rate-limiter/rate-limit-store';
import { SharedRateLimiter } from '../../../../../lambda/runtime/rate-limiter/shared-rate-limiter';
import { documentClient, dynamoDbClient } from '../../../../../lambda/shared/aws/clients/dynamodb';
import { systemClock } from '../../../../../lambda/shared/clock';
import type { Mode, RateLimits } from '../../../../../lib/contract';

export interface LimiterLoad {
  readonly table: string;
  readonly limits: RateLimits;
  readonly mode: Mode;
  readonly callers: number;
  /** Of one call, in milliseconds of the cloud. */
  readonly callMs: number;
  /** Tokens that a call is thought to use, and does use. */
  readonly estimated: number;
  readonly used: number;
}

export interface LimiterReport {
  /** Moments of the calls, in milliseconds of the cloud. */
  readonly calls: readonly number[];
  readonly storeCalls: number;
  readonly denials: number;
}

const loads: readonly LimiterLoad[] = JSON.parse(process.argv[2] ?? '');
const clock = systemClock();
const stop = new AbortController();
setMaxListeners(0, stop.signal);

async function under(load: LimiterLoad, untilMs: number): Promise<LimiterReport> {
  const calls: number[] = [];
  let storeCalls = 0;
  let denials = 0;
  const client = dynamoDbClient();
  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        // What a refusal found, DynamoDB says with the refusal. Here it has to be read.
        storeCalls += commandName === 'GetItemCommand' ? 0 : 1;
        return next(args);
      },
    { step: 'finalizeRequest' },
  );
  const limiter = new SharedRateLimiter({
    limits: load.limits,
    store: new RateLimitStore(documentClient(client), load.table),
    clock,
    onStoreUnavailable: (message, error) => console.error(message, error),
  });

  async function caller(): Promise<void> {
    while (clock.now() < untilMs) {
      try {
        const wanted = { requests: 1, tokens: load.estimated } as const;
        const lease = await limiter.acquire('anthropic', wanted, load.mode, stop.signal);
        calls.push(clock.now());
        await clock.sleep(load.callMs * (0.5 + Math.random()));
        lease.settle(load.used);
      } catch (error) {
        denials += 1;
        const { retryAfterMs = 1_000 } = error as { retryAfterMs?: number };
        await clock.sleep(retryAfterMs + Math.random() * 1_000);
      }
    }
  }

  await Promise.all(Array.from({ length: load.callers }, caller));
  return { calls, storeCalls, denials };
}

async function main(): Promise<void> {
  const begin = once(process, 'message');
  process.send?.('ready');
  const [untilMs] = await begin;
  process.send?.(await Promise.all(loads.map((load) => under(load, untilMs))));
  process.disconnect?.();
}

void main();
