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
import { ExitCode, TERMINAL, type Terminal } from './command-line';

export interface RunAndReportOptions extends Omit<DrillOptions, 'signal' | 'progress'> {
  /** File of the JSON report. `-` is standard output; all other lines then go to standard error. */
  readonly json?: string;
  /** Printed after the table. */
  readonly epilogue?: string;
}

/** Runs a scenario, prints progress and table, writes the report. @returns the exit code */
export async function runAndReport(options: RunAndReportOptions, terminal: Terminal = TERMINAL): Promise<number> {
  const { json, epilogue, ...drill } = options;
  const print = json === '-' ? terminal.err : terminal.out;
  const style = styleFor({ isTTY: json === '-' ? process.stderr.isTTY === true : terminal.isTTY });
  const interrupt = new AbortController();
  const onSignal = () => {
    if (interrupt.signal.aborted) {
      process.exit(ExitCode.INTERRUPTED); // At the second signal. Child processes end with this one.
    }
    print('interrupted: stopping everything that this run has started');
    interrupt.abort(new Error('interrupted'));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  try {
    const report = await runDrill({ ...drill, signal: interrupt.signal, progress: new LineProgress(print, style) });
    print('');
    print(renderReport(report, style));
    writeReport(json, report, terminal, print);
    if (epilogue !== undefined) {
      print('');
      print(epilogue);
    }
    return report.passed ? ExitCode.PASSED : ExitCode.BROKEN;
  } catch (error) {
    if (interrupt.signal.aborted) {
      return ExitCode.INTERRUPTED;
    }
    terminal.err(`${style.failure('could not run')}: ${explain(error)}`);
    return error instanceof ScenarioError ? ExitCode.USAGE : ExitCode.FAILED;
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

function writeReport(
  file: string | undefined,
  report: DrillReport,
  terminal: Terminal,
  print: (line: string) => void,
): void {
  const text = JSON.stringify(report, null, 2);
  if (file === '-') {
    terminal.out(text);
  } else if (file !== undefined) {
    writeFileSync(file, `${text}\n`);
    print(`report      ${relative(process.cwd(), file)}`);
  }
}

/** The message of an expected error is enough; an unexpected error needs its stack. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  return ['DrillError', 'SynthesisError', 'NotRehearsable', 'ScenarioError'].includes(error.name)
    ? error.message
    : (error.stack ?? error.message);
}
