import type { Logger } from '@aws-lambda-powertools/logger';
import type { AgentLogger } from '../runtime/agent';

/** The narrow logger that agents see, on top of the one that carries the task's fields. */
export function agentLogger(logger: Logger): AgentLogger {
  return {
    debug: (message, fields = {}) => logger.debug(message, fields),
    info: (message, fields = {}) => logger.info(message, fields),
    warn: (message, fields = {}) => logger.warn(message, fields),
    error: (message, fields = {}) => logger.error(message, fields),
  };
}
