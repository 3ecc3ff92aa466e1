import { MAX_INLINE_BYTES } from '../lib/contract';
import type { CallsPerTask } from './calls-per-task';
import {
  NETWORK_HEAD,
  networkRows,
  WAITING_HEAD,
  WAITING_TEXT,
  WORKER_HEAD,
  waitingRows,
  workerRows,
} from './fargate-costs';
import type { FargateParts } from './fargate-parts';
import { PRICE } from './prices';
import type { StandingParts } from './standing-parts';

/** Memory of the functions, GB: the router's and the worker's defaults. */
const ROUTER_GB = 0.5;
const WORKER_GB = 1;

/** Assumed milliseconds of an invocation: two or three calls of a few milliseconds each. Not measured on AWS. */
const ROUTER_MS = 30;
const WORKER_MS = 30;

/** Requests that the pollers of an idle queue make in a month: 5 of them, a long poll of 20 s each. */
const IDLE_POLLS = (5 * 30 * 24 * 3600) / 20;

/** Seconds. */
const WAITS = [1, 5, 10, 30, 60];

interface Row {
  readonly what: string;
  readonly perTask: string;
  /** US dollars per million tasks. */
  readonly cost: number;
}

/** The page docs/costs.md. */
export function costsPage(calls: CallsPerTask, standing: StandingParts, fargate: FargateParts): string {
  const rows = taskRows(calls);
  const step = stepCost(calls.perStep);
  const units = Math.ceil(calls.itemBytes / 1024);
  return `# What it costs

Written by \`npm run bench -- --costs docs/costs.md\`. Calls and sizes are counted in the [rehearsal](rehearsal.md).
Prices are list prices of us-east-1 in US dollars as published in 2026; check them before you rely on them. Nothing was measured on
AWS; run times of functions are assumed, and marked so.

## A million tasks

One request over the HTTP API, no steps, input and result below ${MAX_INLINE_BYTES / 1024} KiB, one attempt.

${table(
  ['what', 'per task', 'US$ per million'],
  [...rows, { what: '**together**', perTask: '', cost: sum(rows) }].map(({ what, perTask, cost }) => [
    what,
    perTask,
    dollars(cost),
  ]),
)}

The worker's own calls are one claim and one finish. The event source mapping deletes the message. The other calls read the routing
items and the queue lengths, once in a few seconds for all tasks of an execution environment: their number per task depends on the load, and
the rehearsal's clock, ten times as fast, raises it.

## Additional work of a task

${table(
  ['what', 'calls', 'US$ per million'],
  [
    ['a journaled step, tool call or model call, value up to 1 KB', callsText(calls.perStep), dollars(step)],
    [
      'a heartbeat, every 30 s of a task longer than that',
      '1 write, 1 SQS request',
      dollars(units * PRICE.dynamoWriteUnits + PRICE.sqsRequests),
    ],
    [
      'a further attempt',
      '2 writes, 3 SQS requests, 1 query, 1 invocation',
      dollars(
        2 * units * PRICE.dynamoWriteUnits + 3 * PRICE.sqsRequests + PRICE.dynamoReadUnits + PRICE.lambdaRequests,
      ),
    ],
    [`an input or a result over ${MAX_INLINE_BYTES / 1024} KiB`, '1 PUT, 1 GET', dollars(PRICE.s3Puts + PRICE.s3Gets)],
    ['a model call with transcripts on', '1 PUT', dollars(PRICE.s3Puts)],
    [
      'a webhook, delivered on the first try',
      '3 SQS requests, 1 read, 1 write, 1 invocation',
      dollars(3 * PRICE.sqsRequests + PRICE.dynamoReadUnits + units * PRICE.dynamoWriteUnits + PRICE.lambdaRequests),
    ],
    [
      'one status request',
      '1 HTTP request, 1 invocation, 1 read',
      dollars(PRICE.httpApiRequests + PRICE.lambdaRequests + PRICE.dynamoReadUnits),
    ],
    ['a trace, if it is sampled', '', dollars(PRICE.traces)],
  ],
)}

## Waiting for the model

A worker on Lambda is billed while it waits for the model. After the model itself that is most of the bill. US$ per million tasks:

${table(
  ['waiting time', '512 MiB', '1024 MiB'],
  WAITS.map((seconds) => [
    `${seconds} s`,
    dollars(seconds * 0.5 * PRICE.lambdaGbSecond * 1e6),
    dollars(seconds * PRICE.lambdaGbSecond * 1e6),
  ]),
)}

${WAITING_TEXT}

${table(WAITING_HEAD, waitingRows(WAITS))}

## Idle cost

One agent without tasks, per month, without resources that its users add:

${table(
  ['what', 'how many', 'US$ a month'],
  [
    [
      'event source mappings that poll empty queues',
      String(standing.eventSourceMappings),
      dollars((standing.eventSourceMappings * IDLE_POLLS * PRICE.sqsRequests) / 1e6),
    ],
    ['metrics of alarms', String(standing.alarmMetrics), dollars(standing.alarmMetrics * 0.1)],
    ['dashboards (three are free in an account)', String(standing.dashboards), dollars(standing.dashboards * 3)],
    ['secrets', String(standing.secrets), dollars(standing.secrets * 0.4)],
  ],
)}

Custom metrics are additional: 0.30 a month for each name and set of dimensions with data in the month. Task metrics are emitted per agent, per lane
and per release, so every release that ran tasks in a month adds a set.

## Idle cost with workers on Fargate

Without a task the lanes scale to zero, except the stable lane in production, which keeps two workers. There are no event source mappings:
workers poll. The alarms that start and stop workers have ${fargate.scalingMetrics} metrics in all: ${dollars(fargate.scalingMetrics * 0.1)} US$ a month. Running workers, US$ a month on demand (x86):

${table(WORKER_HEAD, workerRows())}

The network's part (counted in the synthesized templates, for an agent on Bedrock without secrets or flags; traffic through
endpoints and gateways is billed per GB in addition):

${table(NETWORK_HEAD, networkRows(fargate.networks))}
`;
}

function taskRows({ wire, mapping, itemBytes, logBytes }: CallsPerTask): Row[] {
  const count = (call: string): number => wire[call] ?? 0;
  const units = Math.ceil(itemBytes / 1024);
  const writes = count('dynamodb.PutItem') + count('dynamodb.UpdateItem');
  const reads = count('dynamodb.Query') + count('dynamodb.GetItem');
  const sqs = count('sqs.SendMessage') + mapping.received + mapping.deleted;
  const compute = (ms: number, gb: number) => ms * 1000 * gb * PRICE.lambdaGbSecond;
  return [
    { what: 'HTTP API', perTask: '1 request', cost: PRICE.httpApiRequests },
    { what: 'Lambda, router and worker', perTask: '2 invocations', cost: 2 * PRICE.lambdaRequests },
    {
      what: 'router run time',
      perTask: `${ROUTER_MS} ms × ${ROUTER_GB} GB (assumed)`,
      cost: compute(ROUTER_MS, ROUTER_GB),
    },
    {
      what: 'worker run time without the agent',
      perTask: `${WORKER_MS} ms × ${WORKER_GB} GB (assumed)`,
      cost: compute(WORKER_MS, WORKER_GB),
    },
    {
      what: 'SQS',
      perTask: `${figure(count('sqs.SendMessage'))} sent, ${figure(mapping.received)} received, ${figure(mapping.deleted)} deleted`,
      cost: sqs * PRICE.sqsRequests,
    },
    {
      what: 'DynamoDB writes',
      perTask: `${figure(count('dynamodb.PutItem'))} put, ${figure(count('dynamodb.UpdateItem'))} updates; item of ${Math.round(itemBytes)} bytes`,
      cost: writes * units * PRICE.dynamoWriteUnits,
    },
    {
      what: 'DynamoDB reads',
      perTask: `${figure(reads)} (routing, queues)`,
      cost: reads * PRICE.dynamoReadUnits,
    },
    {
      what: 'logs, including metrics',
      perTask: `${Math.round(logBytes.router)} bytes router, ${Math.round(logBytes.worker)} bytes worker`,
      cost: ((logBytes.router + logBytes.worker) / 1e9) * 1e6 * PRICE.logGb,
    },
  ];
}

function stepCost(perStep: CallsPerTask['perStep']): number {
  const count = (call: string): number => perStep[call] ?? 0;
  return (
    (count('dynamodb.PutItem') + count('dynamodb.UpdateItem')) * PRICE.dynamoWriteUnits +
    (count('dynamodb.GetItem') + count('dynamodb.Query')) * PRICE.dynamoReadUnits
  );
}

function callsText(calls: Readonly<Record<string, number>>): string {
  return Object.entries(calls)
    .map(([call, count]) => `${figure(count)} ${call.split('.').at(-1)}`)
    .join(', ');
}

/** Integers without decimals, fractions with two. */
function figure(value: number): string {
  return Math.abs(value - Math.round(value)) < 0.005 ? String(Math.round(value)) : value.toFixed(2);
}

function dollars(value: number): string {
  return value.toFixed(2);
}

function sum(rows: readonly Row[]): number {
  return rows.reduce((total, { cost }) => total + cost, 0);
}

/** A table as the formatter leaves it. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(3, ...all.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
