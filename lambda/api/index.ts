/** The status API: `GET /tasks/{id}`. */
import * as z from 'zod';
import { Env } from '../../lib/contract';
import { documentClient } from '../common/clients/dynamodb';
import type { HttpEvent, HttpResponse } from '../common/http';
import { createLogger } from '../common/logger';
import { once } from '../common/once';
import { readSettings, setting } from '../common/settings';
import { TaskTable } from '../common/task-table';
import { type GetTaskProps, getTask } from './get-task';

const settingsSchema = z.object({
  [Env.AGENT]: setting.text,
  [Env.AUTH]: z.enum(['iam', 'jwt']),
  [Env.TASKS_TABLE]: setting.text,
});

const dependencies = once((): GetTaskProps => {
  const settings = readSettings(settingsSchema);
  return {
    tasks: new TaskTable(documentClient(), settings[Env.TASKS_TABLE]),
    auth: settings[Env.AUTH],
    logger: createLogger({ component: 'api', agent: settings[Env.AGENT] }),
  };
});

export async function handler(event: HttpEvent): Promise<HttpResponse> {
  return await getTask(event, dependencies());
}
