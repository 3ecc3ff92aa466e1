export type { AlarmChange } from './alarms';
export { alarmHandler, dashboardHandler } from './resources';
export { type CloudWatchOptions, CloudWatchService } from './service';
