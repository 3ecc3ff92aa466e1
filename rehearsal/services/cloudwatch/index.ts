import type { MetricsPort } from '../../core/ports';
import type { ResourceHandler } from '../../core/resource';
import type { RehearsalService } from '../../core/service';
import { type CloudWatchDeps, CloudWatchState } from './model';
import { CloudWatchOperations } from './operations';
import { alarmHandler, dashboardHandler } from './resources';

export type { AlarmChange } from './alarms';
export type { AlarmAction, CloudWatchDeps } from './model';

export interface CloudWatch {
  readonly service: RehearsalService;
  readonly handlers: readonly ResourceHandler[];
  readonly metrics: MetricsPort;
  /** Log lines that look like the embedded metric format and are not valid. */
  malformedLines(): { readonly count: number; readonly examples: readonly string[] };
  stop(): void;
}

/** CloudWatch: metrics, metric math and alarms. */
export function createCloudWatch(deps: CloudWatchDeps): CloudWatch {
  const state = new CloudWatchState(deps);
  return {
    service: new CloudWatchOperations(state),
    handlers: [alarmHandler(state.alarmList), dashboardHandler()],
    metrics: state,
    malformedLines: () => state.malformedLines(),
    stop: () => state.stop(),
  };
}
