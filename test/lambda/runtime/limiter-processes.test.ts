import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { systemClock } from '../../../lambda/common/clock';
import { Env } from '../../../lib/contract';
import { type LocalDynamoDb, startDynamoDb } from '../../support/local-dynamodb';
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

describe('the limiter in eight processes at once', () => {
  let dynamodb: LocalDynamoDb;
  let folder: string;
  let program: string;

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
  });

  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await dynamodb.close();
  });

  /** Runs the processes for so many minutes of the cloud, after they are all up. */
  async function run(minutes: number, loads: readonly Omit<LimiterLoad, 'untilMs'>[]) {
    const settings = JSON.stringify({ realEpochMs: Date.now(), cloudEpochMs: Date.now(), speed: SPEED });
    const clock = systemClock({ [Env.CLOCK]: settings });
    // Eight processes take some seconds to come up on a busy machine.
    const untilMs = clock.now() + minutes * MINUTE;
    const reports = await Promise.all(
      loads.map(async (load): Promise<LimiterReport> => {
        const child = fork(program, [JSON.stringify({ ...load, untilMs })], {
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
        const [report] = await once(child, 'message');
        return report;
      }),
    );
    const begun = Math.max(...reports.map(({ calls }) => Math.min(...calls)));
    const calls = reports.flatMap(({ calls: moments }) => moments);
    const steady = calls.filter((moment) => moment >= begun && moment < untilMs).length;
    const storeCalls = reports.reduce((sum, report) => sum + report.storeCalls, 0);
    return {
      reports,
      calls,
      perMinute: (steady * MINUTE) / (untilMs - begun),
      storeCallsPerHundred: (100 * storeCalls) / calls.length,
    };
  }

  const load: Omit<LimiterLoad, 'untilMs'> = {
    table: 'control',
    limits: { anthropic: { requestsPerMinute: 6_000 } },
    mode: 'live',
    callers: 60,
    callMs: 2_000,
    estimated: 1,
    used: 1,
  };

  it('uses more than 90 % of the limit, and no minute sees more than 106 % of it', async () => {
    const result = await run(
      3,
      Array.from({ length: WORKERS }, () => load),
    );

    expect(result.perMinute).toBeGreaterThan(0.9 * 6_000);
    expect(busiestMinute(result.calls)).toBeLessThanOrEqual(1.06 * 6_000);
    expect(result.storeCallsPerHundred).toBeLessThan(5);
  }, 120_000);

  it('holds a limit of tokens, estimated three times too high', async () => {
    const result = await run(
      3,
      Array.from({ length: WORKERS }, () => ({
        ...load,
        table: 'tokens',
        limits: { anthropic: { tokensPerMinute: 600_000 } },
        callers: 30,
        estimated: 300,
        used: 100,
      })),
    );

    expect(result.perMinute * 100).toBeGreaterThan(0.9 * 600_000);
    expect(busiestMinute(result.calls) * 100).toBeLessThanOrEqual(1.06 * 600_000);
  }, 120_000);
});
