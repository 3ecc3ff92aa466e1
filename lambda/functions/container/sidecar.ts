import { Env } from '../../../lib/contract';
import { systemClock } from '../../shared/clock';
import { SettingsError } from '../../shared/settings';
import { createLogger } from '../../shared/telemetry/logger';
import { AgentContainer } from './agent-container';
import { runProgram } from './index';

/** The program of the worker's image: the worker beside an agent in a container of its own. */
export function runSidecar(): void {
  runProgram(({ agentPort, workerPort }) => {
    if (agentPort === undefined) {
      throw new SettingsError(`environment settings: ${Env.AGENT_PORT} is missing`);
    }
    const clock = systemClock();
    const agent = process.env[Env.AGENT] ?? 'unknown';
    return new AgentContainer({
      agentPort,
      workerPort,
      clock,
      logger: createLogger({ component: 'container', agent }, clock),
    });
  });
}
