export { XRayDaemon } from './daemon';
export { type SegmentDocument, Traces, type TraceView } from './model';
export { xrayService } from './operations';
