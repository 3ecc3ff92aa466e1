import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import {
  type DrillOptions,
  type DrillReport,
  LineProgress,
  renderReport,
  runDrill,
  ScenarioError,
  styleFor,
} from '../../rehearsal/drill';
import { ExitCode } from './exit-codes';

/** Where a command writes: swapped in tests. */
export interface Terminal {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
  readonly isTTY: boolean;
}

export const TERMINAL: Terminal = {
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
  isTTY: process.stdout.isTTY === true,
};

export interface RunOptions extends Omit<DrillOptions, 'signal' | 'progress'> {
  /** File of the JSON report; `-` is standard output, and then all else goes to standard error. */
  readonly json?: string;
  /** Printed after the table. */
  readonly epilogue?: string;
}

/** Runs a scenario, prints progress and table, writes the report. @returns the exit code */
export async function runAndReport(options: RunOptions, terminal: Terminal = TERMINAL): Promise<number> {
  const { json, epilogue, ...drill } = options;
  const say = json === '-' ? terminal.err : terminal.out;
  const style = styleFor({ isTTY: json === '-' ? process.stderr.isTTY === true : terminal.isTTY });
  const interrupt = new AbortController();
  const onSignal = () => {
    if (interrupt.signal.aborted) {
      process.exit(ExitCode.INTERRUPTED); // Asked twice: children end with the process.
    }
    say('interrupted: ending what was started');
    interrupt.abort(new Error('interrupted'));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    const report = await runDrill({ ...drill, signal: interrupt.signal, progress: new LineProgress(say, style) });
    say('');
    say(renderReport(report, style));
    writeReport(json, report, terminal, say);
    if (epilogue !== undefined) {
      say('');
      say(epilogue);
    }
    return report.passed ? ExitCode.PASSED : ExitCode.BROKEN;
  } catch (error) {
    if (interrupt.signal.aborted) {
      return ExitCode.INTERRUPTED;
    }
    terminal.err(`${style.bad('could not run')}: ${explain(error)}`);
    return error instanceof ScenarioError ? ExitCode.USAGE : ExitCode.COULD_NOT_RUN;
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

function writeReport(
  file: string | undefined,
  report: DrillReport,
  terminal: Terminal,
  say: (line: string) => void,
): void {
  const text = JSON.stringify(report, null, 2);
  if (file === '-') {
    terminal.out(text);
  } else if (file !== undefined) {
    writeFileSync(file, `${text}\n`);
    say(`report      ${relative(process.cwd(), file)}`);
  }
}

/** An error that was foreseen explains itself; of any other the place is needed. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  return ['DrillError', 'SynthesisError', 'NotRehearsable', 'ScenarioError'].includes(error.name)
    ? error.message
    : (error.stack ?? error.message);
}
