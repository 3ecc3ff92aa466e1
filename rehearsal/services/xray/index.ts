export { XRayDaemon } from './daemon';
export { xrayService } from './service';
export { type SegmentDocument, Traces, type TraceView } from './traces';
