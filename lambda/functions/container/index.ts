/**
 * The worker in a container: takes the tasks of one lane from its queues and runs N of them at once.
 *
 * Its life:
 *
 *  1. Settings are read. One that is missing or wrong ends it (78), with one line that names them all.
 *  2. `GET /health` is answered from here on: 503 before it takes tasks.
 *  3. The agent: its module is loaded; or, in a container of its own, waited for until its `/health` answers, two minutes at
 *     most.
 *  4. The agent's own settings are checked. If they are wrong, or the agent never got well, no task is run. In the
 *     candidate lane the worker waits two minutes for the preflight's probe and answers it, so that the deployment fails
 *     with the reason and not with "no worker came"; in the stable lane no deployment would hear it. Then it ends (78, 69).
 *  5. It polls, claims, runs, deletes, until SIGTERM: see LanePoller. ECS is asked to protect the task as long as it has work.
 *  6. Twice a minute it reads which release the lane belongs to. When that is another release, it takes no new task, drains,
 *     and waits until ECS stops it: see LaneOwnershipMonitor.
 *  7. SIGTERM: no new task. Tasks that run have the stop timeout, less the time to requeue them, to end; an agent in
 *     a container of its own gets `POST /checkpoint`. A task that has not ended then is requeued with its finished steps,
 *     uncounted. It ends with 0; or with 75 when even that was not done in time, and the leases run out.
 *
 * What to know:
 *
 *  - A poll in progress at SIGTERM is waited for, up to 20 seconds: SQS may have hidden a message for it. An idle
 *    container takes that long to stop, unless its stop timeout is shorter.
 *  - An uncaught error of an agent in this process ends all its neighbors: their leases run out after
 *    90 seconds, and the attempt counts for each. An unhandled rejection of a promise is logged, and nothing else. An
 *    agent that blocks the event loop blocks its neighbors, their heartbeats and the health check.
 *  - A container of the agent that is not well for a minute ends the worker (69), and so its ECS task, which ECS replaces.
 *    The attempts that ran in it count: a task that makes its agent hang must come to an end some time.
 *  - The worker's timeout holds for each claim, as on Lambda: a task that takes longer continues with the next claim.
 */
import { Env } from '../../../lib/contract';
import type { AgentSource } from '../../runtime/agent';
import { messageOf } from '../../shared/errors';
import { SettingsError } from '../../shared/settings';
import { createLogger } from '../../shared/telemetry/logger';
import { agentInProcess, type ContainerAgent } from './container-agent';
import { ContainerExit, type ContainerExitCode } from './exit-codes';
import { healthCheck } from './health-check';
import { type ContainerSettings, readContainerSettings } from './settings';
import { WorkerContainer } from './worker-container';

export type { AgentSource } from '../../runtime/agent';
export { ContainerExit, type ContainerExitCode } from './exit-codes';

/** Argument with which the program is a health check. */
const HEALTH_ARGUMENT = 'health';

/**
 * The main program of a container that runs the agent's tasks in its own process; with the argument `health`, the health
 * check of such a container. Never returns to its caller: the process ends with a {@link ContainerExit}.
 *
 * @param agent given by a function, its module is loaded only when it is needed:
 *   `runContainer(async () => (await import('./agent')).default)`
 */
export function runContainer<I, O, S>(agent: AgentSource<I, O, S>): void {
  runProgram(() => agentInProcess(agent));
}

/** @param agentFor the agent of the container, by its settings. @internal */
export function runProgram(agentFor: (settings: ContainerSettings) => ContainerAgent): void {
  const program = process.argv[2] === HEALTH_ARGUMENT ? healthCheck() : live(agentFor);
  program.then(
    (code) => process.exit(code),
    (error: unknown) => {
      logger().error('container crashed', { outcome: 'crashed', reason: messageOf(error), error });
      process.exit(ContainerExit.CRASHED);
    },
  );
}

async function live(agentFor: (settings: ContainerSettings) => ContainerAgent): Promise<ContainerExitCode> {
  let container: WorkerContainer;
  try {
    const settings = readContainerSettings();
    container = new WorkerContainer({ settings, agent: agentFor(settings) });
  } catch (error) {
    if (!(error instanceof SettingsError)) {
      throw error;
    }
    logger().error(error.message, { outcome: 'refused', exit: ContainerExit.WRONG_SETTINGS });
    return ContainerExit.WRONG_SETTINGS;
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => container.stop());
  }
  process.on('unhandledRejection', (reason) => {
    logger().error('unhandled promise rejection', {
      outcome: 'error',
      reason: messageOf(reason),
      error: reason,
    });
  });
  return container.run();
}

/** For what happens outside of the container's own life. */
function logger() {
  return createLogger({ component: 'container', agent: process.env[Env.AGENT] ?? 'unknown' });
}
