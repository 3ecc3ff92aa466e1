import type { ExecutionEnvironment, InvocationOutcome } from '../../../rehearsal/services/lambda/execution-environment';
import { Fleet } from '../../../rehearsal/services/lambda/fleet';
import type { FunctionVersion } from '../../../rehearsal/services/lambda/model';

const VERSION = { functionName: 'f', version: '1', settings: { timeoutSeconds: 3 } } as unknown as FunctionVersion;
const DONE: InvocationOutcome = {
  payload: 'null',
  failed: false,
  durationMs: 1,
  maxMemoryMiB: 1,
  environmentLost: false,
};

/** An environment whose invocation and whose process end when the test says so. */
class ScriptedEnvironment {
  readonly id = 'environment';
  readonly processId = 1;
  readonly busyWith = undefined;
  readonly bootMs = 1;
  readonly ready = Promise.resolve(undefined);
  alive = true;
  endInvocation: (outcome: InvocationOutcome) => void = () => undefined;

  constructor(private readonly onEnd: () => void) {}

  run(): Promise<InvocationOutcome> {
    return new Promise((resolve) => {
      this.endInvocation = resolve;
    });
  }

  kill(): void {
    // A killed process is gone only when the system says so.
  }

  endProcess(): void {
    this.alive = false;
    this.onEnd();
  }
}

function busyFleet(): { fleet: Fleet; booted: ScriptedEnvironment[] } {
  const booted: ScriptedEnvironment[] = [];
  const fleet = new Fleet({
    maxEnvironments: 2,
    idleMs: 60_000,
    boot: (_, onEnd) => {
      const environment = new ScriptedEnvironment(onEnd);
      booted.push(environment);
      return environment as unknown as ExecutionEnvironment;
    },
  });
  return { fleet, booted };
}

async function startedJob(fleet: Fleet): Promise<{ outcome: Promise<InvocationOutcome> }> {
  let outcome: Promise<InvocationOutcome> | undefined;
  await new Promise<void>((resolve) => {
    outcome = fleet.run({ version: VERSION, invocation: {} as never, onStart: () => resolve() });
  });
  if (outcome === undefined) {
    throw new Error('the job was not taken');
  }
  return { outcome };
}

test('stop ends although an invocation of a deleted function ends between the kill and the end of its process', async () => {
  const { fleet, booted } = busyFleet();
  const { outcome } = await startedJob(fleet);
  fleet.retire(VERSION);
  const stopped = fleet.stop();
  booted[0]?.endInvocation(DONE);
  await expect(outcome).resolves.toEqual(DONE);
  booted[0]?.endProcess();
  await stopped;
  expect(fleet.environments()).toEqual([]);
});

test('stop waits for the processes of busy environments', async () => {
  const { fleet, booted } = busyFleet();
  await startedJob(fleet);
  let over = false;
  const stopped = fleet.stop().then(() => {
    over = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(over).toBe(false);
  booted[0]?.endProcess();
  await stopped;
});
