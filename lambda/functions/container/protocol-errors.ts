import { TaskErrorCode } from '../../../lib/contract';
import {
  type ErrorKind,
  MAX_MESSAGE_LENGTH,
  MAX_RETRY_AFTER_SECONDS,
  type ProtocolError,
} from '../../../lib/contract/agent-protocol';
import {
  type AgentError,
  dispositionOf,
  FatalError,
  isAgentError,
  RetryableError,
  ThrottledError,
} from '../../runtime/errors';
import { messageOf } from '../../shared/errors';

/** Converts an error of the agent's response to one of the runtime's. */
export function fromProtocolError({
  code,
  message: text,
  kind = 'fatal',
  retryAfterSeconds,
}: ProtocolError): AgentError {
  const message = text.slice(0, MAX_MESSAGE_LENGTH);
  const options = { code, ...(retryAfterSeconds === undefined ? {} : { retryAfterMs: retryAfterSeconds * 1000 }) };
  switch (kind) {
    case 'retryable':
      return new RetryableError(message, options);
    case 'throttled':
      return new ThrottledError(message, options);
    case 'fatal':
    case 'ended':
      return new FatalError(message, { code });
  }
}

/** Converts an error of the runtime to one of the protocol. */
export function toProtocolError(error: unknown): ProtocolError {
  const retryAfterMs = error instanceof RetryableError ? error.retryAfterMs : undefined;
  return {
    code: isAgentError(error) ? error.code : TaskErrorCode.WORKER_ERROR,
    message: messageOf(error).slice(0, MAX_MESSAGE_LENGTH),
    kind: kindOf(error),
    ...(retryAfterMs === undefined
      ? {}
      : { retryAfterSeconds: Math.min(MAX_RETRY_AFTER_SECONDS, Math.ceil(retryAfterMs / 1000)) }),
  };
}

/** The protocol error of an ended attempt. */
export function toAttemptEndedError(reason: unknown): ProtocolError {
  return { ...toProtocolError(reason), kind: 'ended' };
}

function kindOf(error: unknown): ErrorKind {
  switch (dispositionOf(error)) {
    case 'retry':
      return 'retryable';
    case 'wait':
      return 'throttled';
    case 'fail':
      return 'fatal';
    default:
      return 'ended';
  }
}
