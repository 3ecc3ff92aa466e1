import type { LaneName } from '../../../lib/contract';
import type { RehearsalCloud } from '../../cloud';
import type { QueueUrls } from '../scenario/agent-under-test';

/** Number of messages in the queues of a lane, or of both lanes, including those in flight. */
export function messagesIn(cloud: Pick<RehearsalCloud, 'queues'>, queues: QueueUrls, lane?: LaneName): number {
  const lanes = lane === undefined ? [queues.stable, queues.candidate] : [queues[lane]];
  const urls = new Set(lanes.flatMap((urlsOfLane) => Object.values(urlsOfLane)));
  return cloud
    .queues()
    .filter(({ url }) => urls.has(url))
    .reduce((sum, queue) => sum + queue.visible + queue.inFlight + queue.delayed, 0);
}
