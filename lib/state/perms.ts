/**
 * Every action on the tables and on the payload bucket, by who does it. A reviewer need read no other file to know what
 * touches the data.
 */

/** Tasks table, router: accept a task, look at a repeated one, take back one that could not be enqueued. */
export const INTAKE_TASK_ACTIONS = ['dynamodb:PutItem', 'dynamodb:GetItem', 'dynamodb:DeleteItem'];
/** Control table, router, partition ROUTING only: read what is promoted and the valve, write the valve. */
export const INTAKE_CONTROL_ACTIONS = ['dynamodb:Query', 'dynamodb:PutItem'];
/** Control table, router and status function, partition BACKLOG only: the view of the queues that they share. */
export const BACKLOG_ACTIONS = ['dynamodb:GetItem', 'dynamodb:PutItem'];

/**
 * Tasks table, worker: claim, renew, write the end, hand back; write the journal and read it after a crash; count a
 * user's running tasks. It deletes nothing.
 */
export const WORKER_TASK_ACTIONS = ['dynamodb:GetItem', 'dynamodb:UpdateItem', 'dynamodb:PutItem', 'dynamodb:Query'];
/** Sessions table, worker: the state of a conversation. */
export const WORKER_SESSION_ACTIONS = ['dynamodb:GetItem', 'dynamodb:PutItem'];

/** Tasks table, status function: tell of a task, cancel it, put down what a user thinks of it. */
export const STATUS_TASK_ACTIONS = ['dynamodb:GetItem', 'dynamodb:UpdateItem', 'dynamodb:PutItem'];

/** Tasks table, whoever may look at tasks: one at a time, by id. */
export const READ_TASK_ACTIONS = ['dynamodb:GetItem'];

/** Tasks table, webhook function: read what to tell, write that it was told or given up. */
export const WEBHOOK_TASK_ACTIONS = ['dynamodb:GetItem', 'dynamodb:UpdateItem'];

/** Tasks table, redrive function: look at a dead task, reopen it, and let its journal last as long. */
export const REDRIVE_TASK_ACTIONS = ['dynamodb:GetItem', 'dynamodb:Query', 'dynamodb:UpdateItem'];
/** Control table, redrive function, partition ROUTING only: it routes a task as the router would, and writes no valve. */
export const REDRIVE_ROUTING_ACTIONS = ['dynamodb:Query'];
/** Control table, redrive function, partition AUDIT only. */
export const AUDIT_ACTIONS = ['dynamodb:PutItem'];

/** Tasks table, preflight: put a probe task, wait for its end. */
export const PREFLIGHT_TASK_ACTIONS = ['dynamodb:PutItem', 'dynamodb:GetItem'];

/** Control table, evidence check and worker, partition ROUTING only: what is promoted, what is rolled out or revoked. */
export const READ_ROUTING_ACTIONS = ['dynamodb:GetItem'];

/** Control table, worker, partitions LIMIT#… only: take a share of what a provider allows. */
export const LIMIT_ACTIONS = ['dynamodb:GetItem', 'dynamodb:UpdateItem'];
/** Control table, worker, partitions BUDGET#… only: look at what a day has cost, add to it. */
export const SPEND_ACTIONS = ['dynamodb:GetItem', 'dynamodb:UpdateItem'];
/** Control table, router, partitions BUDGET#… only. */
export const READ_BUDGET_ACTIONS = ['dynamodb:GetItem'];

/** Control table, recorder: releases (put once), routing, audit. No deletion: the trail is append only. */
export const RECORDER_CONTROL_ACTIONS = ['dynamodb:GetItem', 'dynamodb:PutItem'];

/** Payload bucket, below one prefix: router and worker write, worker and status function read. Nobody deletes. */
export const WRITE_PAYLOAD_ACTIONS = ['s3:PutObject'];
export const READ_PAYLOAD_ACTIONS = ['s3:GetObject'];
/**
 * Payload bucket. Whoever may read recorded model calls finds those of a task, prefix transcripts/ only. Worker and status
 * function list nothing, but without this S3 answers 403 for an object that is gone, as if it might come back
 * (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html).
 */
export const LIST_PAYLOAD_ACTIONS = ['s3:ListBucket'];

/** What a caller of DynamoDB needs of the table's own key. */
export const KEY_READ_ACTIONS = ['kms:Decrypt', 'kms:DescribeKey'];
export const KEY_WRITE_ACTIONS = [
  ...KEY_READ_ACTIONS,
  'kms:Encrypt',
  'kms:GenerateDataKey',
  'kms:GenerateDataKeyWithoutPlaintext',
  'kms:ReEncryptFrom',
  'kms:ReEncryptTo',
];

/** The same of the bucket's key (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html). */
export const PAYLOAD_READ_KEY_ACTIONS = ['kms:Decrypt'];
export const PAYLOAD_WRITE_KEY_ACTIONS = ['kms:GenerateDataKey'];
