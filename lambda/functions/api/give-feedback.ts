import {
  DIMENSION_SETS,
  Dimension,
  type FeedbackItem,
  type FeedbackRequest,
  type FeedbackResponse,
  FINAL_STATUSES,
  FLAG_DIMENSIONS,
  feedbackRequestSchema,
  flagDimension,
  HttpErrorCode,
  IntakeMetric,
  sha256,
  TaskMetric,
  type TaskRecord,
} from '../../../lib/contract';
import {
  bodyTextOf,
  type HttpEvent,
  type HttpResponse,
  jsonResponse,
  Refusal,
  subjectOf,
} from '../../shared/http/http';
import { parseJsonBody } from '../../shared/http/json-body';
import { orRefuse } from '../../shared/http/refusals';
import { linksOf } from '../../shared/tasks/task-response';
import type { MetricEmitter } from '../../shared/telemetry/emf';
import type { Log } from '../../shared/telemetry/logger';
import type { Feedback } from './feedback-store';
import { type OwnTaskDeps, ownTask } from './own-task';

export interface GiveFeedbackDeps extends OwnTaskDeps {
  readonly feedback: Feedback;
  readonly logger: Log;
  readonly metrics: MetricEmitter;
}

/** Largest request, in bytes: the longest comment, however its characters are written. */
const MAX_BYTES = 64 * 1024;

/** Times that one user's judgment may change while it is being written. */
const MAX_TRIES = 5;

const UNREACHED = 'the feedback could not be written';

/** Answers `POST /tasks/{id}/feedback`. Each user has one judgment about a task; a new one takes the old one's place. */
export async function giveFeedback(event: HttpEvent, props: GiveFeedbackDeps): Promise<HttpResponse> {
  const { auth, logger, metrics } = props;
  const task = await ownTask(event, props);
  const request = parseJsonBody(bodyTextOf(event), {
    schema: feedbackRequestSchema,
    maxBytes: MAX_BYTES,
    advice: 'shorten the comment',
  });
  const user = judgeOf(request, task, auth === 'jwt' ? subjectOf(event) : undefined);
  const { id, release, status } = task;
  if (!FINAL_STATUSES.includes(status)) {
    throw new Refusal(HttpErrorCode.CONFLICT, `the task is ${status}: there is no result to judge before it has ended`);
  }
  if (release === undefined) {
    throw new Refusal(HttpErrorCode.CONFLICT, `the task is ${status} and never ran: there is nothing to judge`);
  }
  const judgment = judgmentOf(request);
  if (await write(task, user, judgment, props)) {
    countFeedback(task, release, judgment.score, metrics);
    logger.info('task judged', { task: id, release, score: judgment.score });
  }
  const body: FeedbackResponse = { id, score: judgment.score, links: linksOf(id) };
  return jsonResponse(200, body, { 'cache-control': 'no-store' });
}

/** Feedback counts for the release that ran the task and for its flags, in addition to the agent's own score. */
function countFeedback({ id, lane, flags = {} }: TaskRecord, release: string, score: number, metrics: MetricEmitter) {
  const properties = { task: id };
  const quality = [{ name: TaskMetric.QUALITY, value: score, unit: 'None' }] as const;
  const dimensions = { [Dimension.LANE]: lane, [Dimension.RELEASE]: release };
  metrics.withDimensions(dimensions, DIMENSION_SETS).emit(quality, properties);
  for (const [name, value] of Object.entries(flags)) {
    metrics
      .withDimensions({ [Dimension.FLAG]: flagDimension(name, value) }, [FLAG_DIMENSIONS])
      .emit(quality, properties);
  }
  metrics.count(IntakeMetric.FEEDBACK);
}

type Judgment = Omit<FeedbackItem, 'at' | 'expiresAt'>;

function judgmentOf({ thumb, score, comment }: FeedbackRequest): Judgment {
  return {
    score: score ?? (thumb === 'up' ? 1 : 0),
    thumb,
    comment,
  };
}

function judgeOf({ user }: FeedbackRequest, task: TaskRecord, subject: string | undefined): string {
  if (subject !== undefined && user !== undefined && user !== subject) {
    throw new Refusal(
      HttpErrorCode.FORBIDDEN,
      'field user is not the subject of the token; leave it out or give the same',
    );
  }
  return subject ?? user ?? task.user;
}

/** @returns false if the user's judgment was the same before, or the store had written what it failed to answer */
async function write(
  { id, expiresAt }: TaskRecord,
  user: string,
  judgment: Judgment,
  { clock, feedback }: GiveFeedbackDeps,
): Promise<boolean> {
  const digest = sha256(user);
  const item: FeedbackItem = { ...judgment, at: Math.floor(clock.now()), expiresAt };
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const present = await orRefuse(UNREACHED, () => feedback.get(id, digest));
    if (present !== undefined && isSame(present, judgment)) {
      return false;
    }
    if (await orRefuse(UNREACHED, () => feedback.put(id, digest, item, present?.at))) {
      return true;
    }
  }
  throw new Refusal(
    HttpErrorCode.UNAVAILABLE,
    'the feedback changed while it was being written; send the request again',
  );
}

function isSame(a: Judgment, b: Judgment): boolean {
  return a.score === b.score && a.thumb === b.thumb && a.comment === b.comment;
}
