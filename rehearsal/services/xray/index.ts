import type { RehearsalService } from '../../core/service';
import { XRayDaemon } from './daemon';
import { Traces, type TraceView } from './model';
import { xrayOperations } from './operations';

export type { SegmentDocument, TraceView } from './model';

export interface XRay {
  readonly service: RehearsalService;
  /** Starts the daemon. @returns its address, `127.0.0.1:PORT` */
  startDaemon(): Promise<string>;
  /** Oldest first. */
  traces(): readonly TraceView[];
  stop(): Promise<void>;
}

/** X-Ray: the segment documents that arrive over the API and at the daemon. */
export function createXRay(): XRay {
  const traces = new Traces();
  let daemon: XRayDaemon | undefined;
  return {
    service: xrayOperations(traces),
    startDaemon: async () => {
      daemon ??= await XRayDaemon.start(traces);
      return daemon.address;
    },
    traces: () => traces.views(),
    stop: async () => daemon?.stop(),
  };
}
