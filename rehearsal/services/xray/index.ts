export { type SegmentDocument, type TraceView, XRayDaemon } from './daemon';
