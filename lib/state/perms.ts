/**
 * Every action on the tables and on the payload bucket, by principal: a security reviewer reads this file alone.
 */

/** Tasks table, router: create a task, read a repeated one, delete one that could not be enqueued. */
export const INTAKE_TASK_ACTIONS = ['dynamodb:PutItem', 'dynamodb:GetItem', 'dynamodb:DeleteItem'];
/** Control table, router, partition ROUTING only: read the promoted release and the valve, write the valve. */
export const INTAKE_CONTROL_ACTIONS = ['dynamodb:Query', 'dynamodb:PutItem'];
/** Control table, router and status function, partition BACKLOG only: the shared backlog snapshot. */
export const BACKLOG_ACTIONS = ['dynamodb:GetItem', 'dynamodb:PutItem'];

/**
 * Tasks table, worker: claim, renew, write the end, requeue; write the journal and read it after a crash; count a
 * user's running tasks. It deletes nothing.
 */
export const WORKER_TASK_ACTIONS = ['dynamodb:GetItem', 'dynamodb:UpdateItem', 'dynamodb:PutItem', 'dynamodb:Query'];
/** Sessions table, worker: the state of a conversation. */
export const WORKER_SESSION_ACTIONS = ['dynamodb:GetItem', 'dynamodb:PutItem'];

/** Tasks table, status function: read a task, cancel it, store feedback. */
export const STATUS_TASK_ACTIONS = ['dynamodb:GetItem', 'dynamodb:UpdateItem', 'dynamodb:PutItem'];

/** Tasks table, principals with `grants.read`: one task at a time, by id. */
export const READ_TASK_ACTIONS = ['dynamodb:GetItem'];

/** Tasks table, webhook function: read a finished task, record its delivery or abandonment. */
export const WEBHOOK_TASK_ACTIONS = ['dynamodb:GetItem', 'dynamodb:UpdateItem'];

/** Tasks table, redrive function: read a failed task, reopen it, and extend the expiry of its journal. */
export const REDRIVE_TASK_ACTIONS = ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem'];
/** Control table, redrive function, partition ROUTING only: it routes tasks like the router, and does not write the valve. */
export const REDRIVE_ROUTING_ACTIONS = ['dynamodb:Query'];
/** Control table, redrive function, partition AUDIT only. */
export const AUDIT_ACTIONS = ['dynamodb:PutItem'];

/** Tasks table, preflight: create a probe task, poll it. */
export const PREFLIGHT_TASK_ACTIONS = ['dynamodb:PutItem', 'dynamodb:GetItem'];

/** Control table, evidence check and worker, partition ROUTING only: the promoted release, the rollout, and whether it is revoked. */
export const READ_ROUTING_ACTIONS = ['dynamodb:GetItem'];

/** Control table, worker, partitions LIMIT#… only: lease units of a provider's rate limit. */
export const LIMIT_ACTIONS = ['dynamodb:GetItem', 'dynamodb:UpdateItem'];
/** Control table, worker, partitions BUDGET#… only: read the cost of a day, add to it. */
export const SPEND_ACTIONS = ['dynamodb:GetItem', 'dynamodb:UpdateItem'];
/** Control table, router, partitions BUDGET#… only. */
export const READ_BUDGET_ACTIONS = ['dynamodb:GetItem'];

/** Control table, recorder: releases (put once), routing, audit. It deletes nothing: the audit trail is append only. */
export const RECORDER_CONTROL_ACTIONS = ['dynamodb:GetItem', 'dynamodb:PutItem'];

/** Payload bucket, below one prefix: router and worker write, worker and status function read. No principal deletes. */
export const WRITE_PAYLOAD_ACTIONS = ['s3:PutObject'];
export const READ_PAYLOAD_ACTIONS = ['s3:GetObject'];
/**
 * Payload bucket. Principals with `grants.readTranscripts` list the model calls of a task, prefix transcripts/ only. Worker
 * and status function do not list, but without this permission S3 answers 403 instead of 404 for a missing object
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html).
 */
export const LIST_PAYLOAD_ACTIONS = ['s3:ListBucket'];

/** Permissions on a table's own key for its readers and writers. */
export const KEY_READ_ACTIONS = ['kms:Decrypt', 'kms:DescribeKey'];
export const KEY_WRITE_ACTIONS = [
  ...KEY_READ_ACTIONS,
  'kms:Encrypt',
  'kms:GenerateDataKey',
  'kms:GenerateDataKeyWithoutPlaintext',
  'kms:ReEncryptFrom',
  'kms:ReEncryptTo',
];

/** Permissions on the bucket's own key (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html). */
export const PAYLOAD_READ_KEY_ACTIONS = ['kms:Decrypt'];
export const PAYLOAD_WRITE_KEY_ACTIONS = ['kms:GenerateDataKey'];
