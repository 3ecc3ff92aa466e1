import type { DrillReport } from '../../rehearsal/drill';
import { runNamedDrill } from './run-named-drill';

export type WorkersReport = NonNullable<DrillReport['workers']>;

/** Runs a drill whose workers run in containers. @returns its report, and what it says of them */
export async function runInContainers(name: string, tasks?: number): Promise<[DrillReport, WorkersReport]> {
  const report = await runNamedDrill(name, tasks === undefined ? {} : { tasks });
  expect(report.tasks).toMatchObject({ lost: 0, duplicateResults: 0 });
  if (report.workers === undefined) {
    throw new Error(`no worker of drill ${name} ran in a container`);
  }
  return [report, report.workers];
}
