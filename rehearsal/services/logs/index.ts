import type { RehearsalClock } from '../../core/clock';
import type { LogsPort } from '../../core/ports';
import type { ResourceHandler } from '../../core/resource';
import type { RehearsalService } from '../../core/service';
import { LogGroups, type LogLine } from './model';
import { logsOperations } from './operations';
import { logGroupHandler } from './resources';

export type { LogLine } from './model';

export interface LogsDeps {
  readonly clock: RehearsalClock;
  /**
   * Folder in which every group also gets a file that holds all of its lines.
   * @default - lines are kept in memory only, the newest 20,000 of a group
   */
  readonly directory?: string;
}

export interface Logs extends LogsPort {
  readonly service: RehearsalService;
  readonly handlers: readonly ResourceHandler[];
  /** Lines of a group, oldest first. */
  lines(logGroup: string): readonly LogLine[];
  groups(): readonly string[];
}

/** CloudWatch Logs: groups from templates, lines from functions and containers, FilterLogEvents to read them. */
export function createLogs({ clock, directory }: LogsDeps): Logs {
  const groups = new LogGroups(clock, directory);
  return {
    service: logsOperations(groups),
    handlers: [logGroupHandler(groups)],
    write: (logGroup, stream, line) => groups.write(logGroup, stream, line),
    lines: (logGroup) => groups.lines(logGroup),
    groups: () => groups.names(),
  };
}
