export type { AlarmChange } from './alarms';
export { alarmHandler, dashboardHandler } from './resources';
export { type AlarmAction, type CloudWatchOptions, CloudWatchService } from './service';
