/** Lists the tasks in the lanes' dead-letter queues, and sends them back. Invoked by an operator. */
import { readSettings } from '../common/settings';
import { settingsSchema } from './settings';

export async function handler(): Promise<unknown> {
  readSettings(settingsSchema);
  throw new Error('redrive is not there yet');
}
