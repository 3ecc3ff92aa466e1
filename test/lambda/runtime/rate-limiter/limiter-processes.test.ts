import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { systemClock } from '../../../../lambda/shared/clock';
import { Env } from '../../../../lib/contract';
import { type LocalDynamoDb, startDynamoDb } from '../../../support/local-dynamodb';
import type { LimiterLoad, LimiterReport } from './support/limiter-process';

const MINUTE = 60_000;
const SPEED = 12;
const WORKERS = 8;

/** Most calls in any minute. */
function busiestMinute(moments: readonly number[]): number {
  const sorted = [...moments].sort((a, b) => a - b);
  let most = 0;
  let first = 0;
  sorted.forEach((moment, last) => {
    while (moment - (sorted[first] ?? 0) >= MINUTE) {
      first += 1;
    }
    most = Math.max(most, last - first + 1);
  });
  return most;
}

const REQUESTS: LimiterLoad = {
  table: 'control',
  limits: { anthropic: { requestsPerMinute: 6_000 } },
  mode: 'live',
  callers: 60,
  callMs: 2_000,
  estimated: 1,
  used: 1,
};

const TOKENS: LimiterLoad = {
  ...REQUESTS,
  table: 'tokens',
  limits: { anthropic: { tokensPerMinute: 600_000 } },
  callers: 30,
  estimated: 300,
  used: 100,
};

interface Outcome {
  readonly calls: readonly number[];
  /** Once every process makes calls. */
  readonly perMinute: number;
  readonly storeCallsPerHundred: number;
}

function outcomeOf(reports: readonly LimiterReport[], untilMs: number): Outcome {
  const begun = Math.max(...reports.map(({ calls }) => Math.min(...calls)));
  const calls = reports.flatMap(({ calls: moments }) => moments);
  const steady = calls.filter((moment) => moment >= begun && moment < untilMs).length;
  const storeCalls = reports.reduce((sum, report) => sum + report.storeCalls, 0);
  return {
    calls,
    perMinute: (steady * MINUTE) / (untilMs - begun),
    storeCallsPerHundred: (100 * storeCalls) / calls.length,
  };
}

describe('the limiter in eight processes at once', () => {
  let dynamodb: LocalDynamoDb;
  let folder: string;
  let program: string;

  let ofRequests: Outcome;
  let ofTokens: Outcome;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'limiter-'));
    program = join(folder, 'process.js');
    buildSync({
      entryPoints: [join(__dirname, 'support/limiter-process.ts')],
      bundle: true,
      platform: 'node',
      outfile: program,
      logLevel: 'error',
    });
    dynamodb = await startDynamoDb(['control', 'tokens']);
    // Both at once: mostly it is waited.
    [ofRequests, ofTokens] = (await run(3, [REQUESTS, TOKENS])) as [Outcome, Outcome];
  }, 120_000);

  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await dynamodb.close();
  });

  /** Runs the processes for a number of minutes of the cloud, after they are all up, each under all loads. */
  async function run(minutes: number, loads: readonly LimiterLoad[]): Promise<Outcome[]> {
    const settings = JSON.stringify({ realEpochMs: Date.now(), cloudEpochMs: Date.now(), speed: SPEED });
    const clock = systemClock({ [Env.CLOCK]: settings });
    const children = Array.from({ length: WORKERS }, () => start(settings, loads));
    await Promise.all(children.map((child) => once(child, 'message')));
    const untilMs = clock.now() + minutes * MINUTE;
    const reports = await Promise.all(
      children.map(async (child): Promise<LimiterReport[]> => {
        const over = once(child, 'message');
        child.send(untilMs);
        return (await over)[0];
      }),
    );
    return loads.map((_, index) =>
      outcomeOf(
        reports.flatMap((each) => each[index] ?? []),
        untilMs,
      ),
    );
  }

  function start(settings: string, loads: readonly LimiterLoad[]): ChildProcess {
    return fork(program, [JSON.stringify(loads)], {
      execArgv: [],
      env: {
        ...process.env,
        [Env.CLOCK]: settings,
        AWS_REGION: 'us-east-1',
        AWS_ACCESS_KEY_ID: 'local',
        AWS_SECRET_ACCESS_KEY: 'local',
        AWS_ENDPOINT_URL_DYNAMODB: dynamodb.endpoint,
      },
    });
  }

  it('uses more than 90 % of the limit, and no minute sees more than 106 % of it', () => {
    expect(ofRequests.perMinute).toBeGreaterThan(0.9 * 6_000);
    expect(busiestMinute(ofRequests.calls)).toBeLessThanOrEqual(1.06 * 6_000);
    expect(ofRequests.storeCallsPerHundred).toBeLessThan(5);
  });

  it('holds a limit of tokens, estimated three times too high', () => {
    expect(ofTokens.perMinute * 100).toBeGreaterThan(0.9 * 600_000);
    expect(busiestMinute(ofTokens.calls) * 100).toBeLessThanOrEqual(1.06 * 600_000);
  });
});
