import { WORKER_HEALTH_PATH } from '../../../lib/contract/agent-protocol';
import { messageOf } from '../../shared/errors';
import { ContainerExit, type ContainerExitCode } from './exit-codes';
import { callHttp } from './http-call';
import { readWorkerPort } from './settings';

/** Real milliseconds: ECS gives a health check 5 seconds unless told otherwise, the start of this process included. */
const TIMEOUT_MS = 3_000;

const MAX_BYTES = 64 * 1024;

/** `node index.js health`: asks the worker of this container how it is. ECS shows the output only in its log. */
export async function healthCheck(environment?: NodeJS.ProcessEnv): Promise<ContainerExitCode> {
  try {
    const url = `http://127.0.0.1:${readWorkerPort(environment)}${WORKER_HEALTH_PATH}`;
    const { status, text } = await callHttp({ method: 'GET', url, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES });
    process.stdout.write(`${text}\n`);
    return status === 200 ? ContainerExit.STOPPED : ContainerExit.CRASHED;
  } catch (error) {
    process.stdout.write(`${messageOf(error)}\n`);
    return ContainerExit.CRASHED;
  }
}
