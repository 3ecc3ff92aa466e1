/**
 * Every stable error code outside the constructs, each declared once. A code is snake_case and names what was wrong, never
 * what to do about it. Codes are stored with tasks, and callers and agents compare them: a code is never renamed or reused.
 * The comment of each code is its entry in docs/errors.md.
 */

/** Codes of `error.code` of a task that describe the task itself. An agent's own errors add codes of the agent's choice. */
export const TaskErrorCode = {
  /** The input does not fit the agent's input schema. */
  INVALID_INPUT: 'invalid_input',
  /** The agent's result does not match its output schema or cannot be written as JSON. */
  INVALID_OUTPUT: 'invalid_output',
  /** The agent's result is larger than 4 MB of JSON. */
  RESULT_TOO_LARGE: 'result_too_large',
  /** The payload bucket no longer holds the task's input. */
  INPUT_LOST: 'input_lost',
  /** The payload bucket could not be reached to read the input or to write the result. */
  PAYLOAD_UNAVAILABLE: 'payload_unavailable',
  /** The caller cancelled the task. */
  CANCELLED: 'cancelled',
  /** The task ran longer than its release or its deadline allows, or finished no step before its worker's timeout. */
  TIMED_OUT: 'timed_out',
  /** The task used up a limit of its release: steps, tool calls, model calls, tokens or cost. */
  LIMIT_EXCEEDED: 'limit_exceeded',
  /** The worker of the last attempt stopped without a report: out of memory, timeout or crash. */
  WORKER_LOST: 'worker_lost',
  /** The task's record in the tasks table does not fit its schema. */
  INVALID_RECORD: 'invalid_record',
  /** The task's end does not fit the schema of its record, for instance an error with an empty code. */
  INVALID_END: 'invalid_end',
  /** At least one check of the preflight's probe failed. */
  PROBE_FAILED: 'probe_failed',
  /** The agent threw an error that is not one of the runtime's, or its container answered with an HTTP error. */
  AGENT_ERROR: 'agent_error',
  /** The worker itself failed while it ran the task. */
  WORKER_ERROR: 'worker_error',
  /** The agent threw a FatalError without a code. */
  FATAL: 'fatal',
  /** The agent threw a RetryableError without a code, in every attempt. */
  RETRYABLE: 'retryable',
  /** The agent threw a ThrottledError without a code. */
  THROTTLED: 'throttled',
} as const;

/** Codes of errors that the runtime throws while an agent runs. An agent can catch them; uncaught, they reach the task. */
export const RuntimeErrorCode = {
  /** The release's behavior document could not be read. */
  BEHAVIOR_UNAVAILABLE: 'behavior_unavailable',
  /** The release's behavior document does not fit its schema. */
  BEHAVIOR_INVALID: 'behavior_invalid',
  /** The behavior document belongs to another release than the worker. */
  BEHAVIOR_MISMATCH: 'behavior_mismatch',
  /** A setting of the agent is missing from the worker's environment or malformed. */
  SETTINGS: 'settings',
  /** The result of the agent's probe did not pass the agent's own check. */
  PROBE_CHECK: 'probe_check',
  /** The release has no such prompt, or a placeholder of the prompt has no value. */
  PROMPT_ERROR: 'prompt_error',

  /** No model of the release's chain answered. */
  MODEL_UNAVAILABLE: 'model_unavailable',
  /** No model of the release's chain answered, and at least one refused for a rate limit or overload. */
  MODEL_THROTTLED: 'model_throttled',
  /** The provider rejected the request. */
  MODEL_REFUSED: 'model_refused',
  /** The provider rejected the API key, and its previous version too. */
  MODEL_UNAUTHORIZED: 'model_unauthorized',
  /** The release's chain has no model of this id. */
  MODEL_UNKNOWN: 'model_unknown',
  /** The rate limit that all workers of the service share is used up. */
  RATE_LIMITED: 'rate_limited',
  /** A budget of the day is used up. */
  BUDGET_EXCEEDED: 'budget_exceeded',

  /** The release has no tool of this name. */
  TOOL_UNKNOWN: 'tool_unknown',
  /** The tool is sandboxed in this environment, and the agent provides no sandbox for it. */
  TOOL_SANDBOXED: 'tool_sandboxed',
  /** The input does not fit the tool's schema or cannot be written as JSON. */
  TOOL_INPUT: 'tool_input',
  /** The tool's input schema is not a JSON schema that the worker supports. */
  TOOL_SCHEMA: 'tool_schema',

  /** The value or the input of a step cannot be written as JSON. */
  INVALID_STEP: 'invalid_step',
  /** The name of a step is empty, too long, or used twice in one attempt. */
  STEP_NAME: 'step_name',
  /** The value of a step is larger than 4 MB of JSON. */
  STEP_TOO_LARGE: 'step_too_large',
  /** A step was finished with another input than the one it has now. */
  JOURNAL_MISMATCH: 'journal_mismatch',
  /** The journal lists the step as finished, but its value no longer exists. */
  JOURNAL_LOST: 'journal_lost',
  /** An entry of the journal does not fit its schema. */
  JOURNAL_UNREADABLE: 'journal_unreadable',
  /** The step journal could not be read or written. */
  JOURNAL_UNAVAILABLE: 'journal_unavailable',

  /** Another task of the session wrote its state first. */
  SESSION_CONFLICT: 'session_conflict',
  /** The session's state does not fit the schema that the agent reads it with. */
  SESSION_INVALID: 'session_invalid',
  /** `session.put()` was called before `session.get()`. */
  SESSION_NOT_READ: 'session_not_read',
  /** DynamoDB rejected the request for the session: a missing permission, a missing table or an invalid value. */
  SESSION_REFUSED: 'session_refused',
  /** The session's state was written under another state schema version. */
  SESSION_SCHEMA: 'session_schema',
  /** The session's state is larger than 350 KB of JSON. */
  SESSION_TOO_LARGE: 'session_too_large',
  /** The sessions table could not be reached. */
  SESSION_UNAVAILABLE: 'session_unavailable',
  /** The session's record does not fit its schema. */
  SESSION_UNREADABLE: 'session_unreadable',

  /** The service has no secret of this name. */
  SECRET_UNKNOWN: 'secret_unknown',
  /** The worker may not read the secret, or the secret has no text. */
  SECRET_UNREADABLE: 'secret_unreadable',
  /** Secrets Manager could not be reached, and no value of the secret is cached. */
  SECRET_UNAVAILABLE: 'secret_unavailable',

  /** The service has no flag of this name. */
  FLAG_UNKNOWN: 'flag_unknown',
  /** The flag has another type than the one that the agent reads. */
  FLAG_TYPE: 'flag_type',
} as const;

/** Codes between a worker and its agent's container (see agent-protocol.ts), and of attempts that end without an end of the task. */
export const AgentProtocolErrorCode = {
  /** The agent's container could not be reached, or the connection broke while it worked. */
  AGENT_UNREACHABLE: 'agent_unreachable',
  /** The agent's container did not become healthy in time, or was unhealthy for too long. */
  AGENT_UNHEALTHY: 'agent_unhealthy',
  /** The agent's container answered with 429. */
  AGENT_THROTTLED: 'agent_throttled',
  /** The agent's container answered with 502, 503 or 504. */
  AGENT_UNAVAILABLE: 'agent_unavailable',
  /** The agent's container sent an answer that does not fit the protocol. */
  AGENT_PROTOCOL: 'agent_protocol',
  /** The request does not fit the protocol. */
  INVALID_REQUEST: 'invalid_request',
  /** The worker serves no such path. */
  NOT_FOUND: 'not_found',
  /** The worker serves the path, but not with this method. */
  METHOD_NOT_ALLOWED: 'method_not_allowed',
  /** The request is larger than the worker accepts. */
  TOO_LARGE: 'too_large',
  /** The attempt has no open step of this id. */
  STEP_UNKNOWN: 'step_unknown',
  /** The attempt has ended, or the token is not that of the attempt. */
  ATTEMPT_ENDED: 'attempt_ended',
  /** The attempt has ended. */
  ENDED: 'ended',
  /** Another worker has the task's lease, or may have it. */
  LEASE_LOST: 'lease_lost',
  /** Another worker continues the task. */
  REQUEUED: 'requeued',
} as const;

/** Codes of `error.code` in the HTTP API's responses. */
export const HttpErrorCode = {
  /** 400: the request does not fit its schema. */
  INVALID_REQUEST: 'invalid_request',
  /** 409: the idempotency key was used with another request. */
  IDEMPOTENCY_CONFLICT: 'idempotency_conflict',
  /** 409: the task's state does not allow the request. */
  CONFLICT: 'conflict',
  /** 413: the request is larger than the API accepts. */
  TOO_LARGE: 'too_large',
  /** 404: no such path, or no such task of this caller. */
  NOT_FOUND: 'not_found',
  /** 403: the caller may not act for this user. */
  FORBIDDEN: 'forbidden',
  /** 429: the queue's oldest message is older than the service accepts. */
  OVERLOADED: 'overloaded',
  /** 429: a budget of the day is used up. */
  BUDGET_EXCEEDED: 'budget_exceeded',
  /** 503: a service that the API needs could not be reached. */
  UNAVAILABLE: 'unavailable',
  /** 500: an unexpected error. */
  INTERNAL: 'internal',
  /** 500: the stored record of the task does not fit its schema. */
  TASK_UNREADABLE: 'task_unreadable',
} as const;
export type HttpErrorCode = (typeof HttpErrorCode)[keyof typeof HttpErrorCode];
