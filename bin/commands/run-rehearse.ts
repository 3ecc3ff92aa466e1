import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BUILT_IN_SCENARIO, loadScenario, NEXT_STEPS, ScenarioError } from '../../rehearsal/drill';
import { ExitCode, type Terminal } from './command-line';
import { DEFAULT_REPORT, DEFAULT_SCENARIO, type RehearseCommandOptions } from './command-options';
import { runAndReport } from './run-and-report';

/** @returns the exit code */
export async function runRehearseCommand(options: RehearseCommandOptions, terminal: Terminal): Promise<number> {
  const directory = process.cwd();
  const file = options.scenario ?? (existsSync(join(directory, DEFAULT_SCENARIO)) ? DEFAULT_SCENARIO : undefined);
  try {
    const scenario = file === undefined ? BUILT_IN_SCENARIO : await loadScenario(resolve(directory, file));
    const print = options.json === '-' ? terminal.err : terminal.out;
    print(file === undefined ? `no ${DEFAULT_SCENARIO} in this folder: ${scenario.name}` : `scenario ${file}`);
    return await runAndReport(
      {
        scenario,
        directory,
        json: options.json === '-' ? '-' : resolve(directory, options.json ?? DEFAULT_REPORT),
        ...(file === undefined ? { probe: true, epilogue: NEXT_STEPS } : {}),
        app: options.app,
        speed: options.speed,
        seed: options.seed,
        keep: options.keep,
      },
      terminal,
    );
  } catch (error) {
    if (error instanceof ScenarioError) {
      terminal.err(error.message);
      return ExitCode.USAGE;
    }
    throw error;
  }
}
