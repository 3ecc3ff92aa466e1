import type { LaneName, Priority } from '../../lib/contract';
import type { Terminal } from './command-line';

/** What a command and its lazily loaded implementation share: a command must start without loading the implementation. */

/** Options of `drill`. */
export interface DrillCommandOptions {
  readonly list?: boolean;
  readonly seed?: number;
  readonly speed?: number;
  readonly tasks?: number;
  readonly json?: string;
  readonly keep?: string;
}

/** Scenario to run when --scenario is absent and this file exists. */
export const DEFAULT_SCENARIO = 'rehearsal.json';
/** Name of the report, in the folder of --keep. */
export const DEFAULT_REPORT = 'rehearsal-report.json';

/** Options of `rehearse`. */
export interface RehearseCommandOptions {
  readonly app?: string;
  readonly scenario?: string;
  readonly speed?: number;
  readonly seed?: number;
  readonly json?: string;
  readonly keep?: string;
}

/** Exit codes of `redrive`. */
export const RedriveExitCode = {
  DONE: 0,
  /** At least one task could not be redriven, or the operator declined at the prompt. */
  NOT_DONE: 1,
  USAGE: 2,
  /** The function could not be invoked, or failed. */
  INVOKE_FAILED: 3,
} as const;

/** Options of `redrive`. */
export interface RedriveCommandOptions {
  readonly function?: string;
  readonly outputs?: string;
  readonly stack?: string;
  readonly list?: boolean;
  readonly execute?: boolean;
  readonly dryRun?: boolean;
  readonly lane?: LaneName;
  readonly priority?: Priority;
  readonly code?: string;
  readonly release?: string;
  readonly user?: string;
  readonly task?: readonly string[];
  readonly olderThan?: number;
  readonly limit?: number;
  readonly json?: boolean;
  readonly region?: string;
  readonly yes?: boolean;
}

/** A terminal that can ask a question. */
export interface InteractiveTerminal extends Terminal {
  /** Whether a person can answer: neither input nor standard error is redirected. */
  readonly isInteractive: boolean;
  readonly prompt: (question: string) => Promise<string>;
}
