import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import dynalite from 'dynalite';
import { RateLimitStore } from '../lambda/runtime/rate-limiter/rate-limit-store';
import { type RateLimiter, UNLIMITED } from '../lambda/runtime/rate-limiter/rate-limiter';
import { SharedRateLimiter } from '../lambda/runtime/rate-limiter/shared-rate-limiter';
import { documentClient } from '../lambda/shared/aws/clients/dynamodb';
import { systemClock } from '../lambda/shared/clock';
import { type Comparison, median } from './measure';

const TABLE = 'control';
const CALLS = 1_000;
/** Of a model call: short, for a worker that is busy. */
const CALL_MS = 2;
/** Never reached: what is measured is the limiter, not its waiting. */
const LIMITS = { anthropic: { requestsPerMinute: 600_000, tokensPerMinute: 60_000_000 } };

export interface LimiterCost {
  readonly latency: Comparison;
  /** For 1,000 model calls, of both limits together. */
  readonly storeCalls: number;
}

/** A loop of model calls that take their leave of the limiter first, against the same loop without it. */
export async function limiterCost(rounds: number): Promise<LimiterCost> {
  const server = dynalite({ createTableMs: 0 });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new DynamoDBClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  try {
    await client.send(
      new CreateTableCommand({
        TableName: TABLE,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [
          { AttributeName: 'pk', AttributeType: 'S' },
          { AttributeName: 'sk', AttributeType: 'S' },
        ],
        KeySchema: [
          { AttributeName: 'pk', KeyType: 'HASH' },
          { AttributeName: 'sk', KeyType: 'RANGE' },
        ],
      }),
    );
    let storeCalls = 0;
    client.middlewareStack.add(
      (next) => (args) => {
        storeCalls += 1;
        return next(args);
      },
      { step: 'finalizeRequest' },
    );
    const limiter = new SharedRateLimiter({
      limits: LIMITS,
      store: new RateLimitStore(documentClient(client), TABLE),
      clock: systemClock(),
      onStoreUnavailable: (message, error) => {
        throw new Error(message, { cause: error });
      },
    });
    await loop(limiter);
    storeCalls = 0;
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      theirs.push(await loop(UNLIMITED));
      ours.push(await loop(limiter));
    }
    const [mine, peer] = [median(ours), median(theirs)];
    return {
      latency: {
        name: 'model call with the limiter',
        peer: 'the same loop without it',
        unit: 'ms',
        ours: mine,
        theirs: peer,
        ratio: mine / peer,
        rounds,
      },
      storeCalls: storeCalls / rounds,
    };
  } finally {
    client.destroy();
    server.closeAllConnections();
    server.close();
  }
}

/** @returns milliseconds of a call */
async function loop(limiter: RateLimiter): Promise<number> {
  const { signal } = new AbortController();
  const start = performance.now();
  for (let call = 0; call < CALLS; call += 1) {
    const lease = await limiter.acquire('anthropic', { requests: 1, tokens: 1_000 }, 'live', signal);
    await new Promise((resolve) => setTimeout(resolve, CALL_MS));
    lease.settle(600);
  }
  return (performance.now() - start) / CALLS;
}
