/** Every action on the tables, by who does it. A reviewer need read no other file to know what touches the data. */

/** Tasks table, router: accept a task, look at a repeated one, take back one that could not be enqueued. */
export const INTAKE_TASK_ACTIONS = ['dynamodb:PutItem', 'dynamodb:GetItem', 'dynamodb:DeleteItem'];
/** Control table, router, partition ROUTING only: read what is promoted and the valve, write the valve. */
export const INTAKE_CONTROL_ACTIONS = ['dynamodb:Query', 'dynamodb:PutItem'];

/** Tasks table, worker: claim, write the end, hand back. It creates and deletes none. */
export const WORKER_TASK_ACTIONS = ['dynamodb:GetItem', 'dynamodb:UpdateItem'];
/** Sessions table, worker: the state of a conversation. */
export const WORKER_SESSION_ACTIONS = ['dynamodb:GetItem', 'dynamodb:PutItem'];

/** Tasks table, status API and whoever may look at tasks: one at a time, by id. */
export const READ_TASK_ACTIONS = ['dynamodb:GetItem'];

/** Tasks table, preflight: put a probe task, wait for its end. */
export const PREFLIGHT_TASK_ACTIONS = ['dynamodb:PutItem', 'dynamodb:GetItem'];

/** Control table, evidence check, partition ROUTING only: what is promoted, what is rolled out. */
export const READ_ROUTING_ACTIONS = ['dynamodb:GetItem'];

/** Control table, recorder: releases (put once), routing, audit. No deletion: the trail is append only. */
export const RECORDER_CONTROL_ACTIONS = ['dynamodb:GetItem', 'dynamodb:PutItem'];

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
