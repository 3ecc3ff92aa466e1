/** Environment variable names of the functions. A function validates its own at its first invocation. */
export const Env = {
  /** Name of the agent: the value of the metric dimension and the prefix of audit records. */
  AGENT: 'AGENT_LANES_AGENT',
  /** Release id, `r-` and 12 hexadecimal digits. */
  RELEASE: 'AGENT_LANES_RELEASE',
  /** Version of the worker that the template names: a Lambda version number, or a digest of what runs in containers. */
  WORKER_VERSION: 'AGENT_LANES_WORKER_VERSION',
  /** Name of the tasks table. */
  TASKS_TABLE: 'AGENT_LANES_TASKS_TABLE',
  /** Name of the sessions table. */
  SESSIONS_TABLE: 'AGENT_LANES_SESSIONS_TABLE',
  /** Name of the control table. */
  CONTROL_TABLE: 'AGENT_LANES_CONTROL_TABLE',
  /** JSON: `{ "stable": { "high": url, "normal": url, "low": url }, "candidate": { … } }`. */
  QUEUES: 'AGENT_LANES_QUEUES',
  /** Bucket of the behavior document. */
  BEHAVIOR_BUCKET: 'AGENT_LANES_BEHAVIOR_BUCKET',
  /** Object key of the behavior document. */
  BEHAVIOR_KEY: 'AGENT_LANES_BEHAVIOR_KEY',
  /** JSON: name under which the agent reads the secret → ARN. */
  SECRETS: 'AGENT_LANES_SECRETS',
  /** How callers are authenticated: `iam` or `jwt`. */
  AUTH: 'AGENT_LANES_AUTH',
  /** Days that a finished task is kept. */
  TASK_RETENTION_DAYS: 'AGENT_LANES_TASK_RETENTION_DAYS',
  /** Bucket of payloads and transcripts. */
  PAYLOAD_BUCKET: 'AGENT_LANES_PAYLOAD_BUCKET',
  /** `on` or `off`: whether every model call is recorded in the payload bucket. */
  TRANSCRIPTS: 'AGENT_LANES_TRANSCRIPTS',
  /** URL of the queue for webhooks. Absent: tasks with a webhook are refused. */
  WEBHOOK_QUEUE: 'AGENT_LANES_WEBHOOK_QUEUE',
  /** URL of the queue for abandoned webhooks. */
  WEBHOOK_DEAD_LETTER_QUEUE: 'AGENT_LANES_WEBHOOK_DEAD_LETTER_QUEUE',
  /** ARN of the secret that signs webhooks. */
  WEBHOOK_SECRET: 'AGENT_LANES_WEBHOOK_SECRET',
  /** Seconds after a task's end during which its webhook is retried. */
  WEBHOOK_RETRY_SECONDS: 'AGENT_LANES_WEBHOOK_RETRY_SECONDS',
  /** JSON: host names that webhooks may call at private addresses and over plain HTTP. */
  WEBHOOK_PRIVATE_HOSTS: 'AGENT_LANES_WEBHOOK_PRIVATE_HOSTS',
  /** JSON: `{ "stable": url, "candidate": url }`, the lanes' dead-letter queues. */
  DEAD_LETTER_QUEUES: 'AGENT_LANES_DEAD_LETTER_QUEUES',
  /** Maximum number of attempts of a task. */
  MAX_ATTEMPTS: 'AGENT_LANES_MAX_ATTEMPTS',
  /** Tasks of one user that may run at once. Absent: no limit. */
  MAX_IN_FLIGHT_PER_USER: 'AGENT_LANES_MAX_IN_FLIGHT_PER_USER',
  /** JSON: provider → `{ requestsPerMinute?, tokensPerMinute? }`; see `rateLimitsSchema`. Absent: no limits. */
  RATE_LIMITS: 'AGENT_LANES_RATE_LIMITS',
  /** JSON; see `budgetsSchema`. Absent: only the budget of each task. */
  BUDGETS: 'AGENT_LANES_BUDGETS',
  /** JSON: location of the flags in AppConfig, and their defaults; see `flagSettingsSchema`. Absent: no flags. */
  FLAGS: 'AGENT_LANES_FLAGS',
  /** JSON: priority → seconds; see `backlogLimitsSchema`. */
  BACKLOG_LIMITS: 'AGENT_LANES_BACKLOG_LIMITS',
  /** Receives after which SQS moves a message to the dead-letter queue. */
  MAX_RECEIVES: 'AGENT_LANES_MAX_RECEIVES',
  /** Timeout of the worker in seconds. In-flight slots of users expire after it. */
  WORKER_TIMEOUT_SECONDS: 'AGENT_LANES_WORKER_TIMEOUT_SECONDS',
  /** Lane whose queues a container polls. A function has event source mappings instead. */
  LANE: 'AGENT_LANES_LANE',
  /** Tasks that one container runs at once. */
  CONCURRENCY: 'AGENT_LANES_CONCURRENCY',
  /** JSON: priority → share of the polls that ask its queue first. Numbers above 0 that sum to 1. */
  PRIORITY_SHARES: 'AGENT_LANES_PRIORITY_SHARES',
  /** Seconds from SIGTERM until a container is killed. */
  STOP_TIMEOUT_SECONDS: 'AGENT_LANES_STOP_TIMEOUT_SECONDS',
  /** Port of the agent's container on localhost. Absent: the agent runs in the worker's process. */
  AGENT_PORT: 'AGENT_LANES_AGENT_PORT',
  /** Port of the worker on localhost: its health check, and the API for the agent's container. */
  WORKER_PORT: 'AGENT_LANES_WORKER_PORT',
  /** ARN of the secret that the rotation function rotates and watches. */
  ROTATED_SECRET: 'AGENT_LANES_ROTATED_SECRET',
  /** Name under which the agent reads that secret: value of the metric dimension. */
  ROTATED_SECRET_NAME: 'AGENT_LANES_ROTATED_SECRET_NAME',
  /** JSON: rotation strategy; see `rotationSchema`. */
  ROTATION: 'AGENT_LANES_ROTATION',
  /** Tasks that the candidate must have finished before a rollout may complete. */
  EVIDENCE_MIN_TASKS: 'AGENT_LANES_EVIDENCE_MIN_TASKS',
  /** Seconds that the evidence check waits for late metrics. */
  EVIDENCE_WAIT_SECONDS: 'AGENT_LANES_EVIDENCE_WAIT_SECONDS',
  /** Seconds that the preflight waits for its probe task. */
  PREFLIGHT_TIMEOUT_SECONDS: 'AGENT_LANES_PREFLIGHT_TIMEOUT_SECONDS',
  /** Set only by the rehearsal: base URL of its provider, which replaces the URL of every `openai_compatible` model. */
  MODEL_BASE_URL: 'AGENT_LANES_MODEL_BASE_URL',
  /**
   * Set only by the rehearsal: JSON `{ "realEpochMs": n, "cloudEpochMs": n, "speed": n }`. The runtime's clock then
   * follows the rehearsal's accelerated time. Absent on AWS.
   */
  CLOCK: 'AGENT_LANES_CLOCK',
} as const;
