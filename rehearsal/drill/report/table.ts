import { FAULT_KINDS } from '../../chaos';
import { plural } from '../invariants/invariant';
import type { DrillReport, ReleaseReport } from './report';
import type { Style } from './style';

/** The table at the end of a run: releases, tasks, and the broken invariants. */
export function renderReport(report: DrillReport, style: Style): string {
  const { tasks } = report;
  const counts = [
    `${tasks.submitted} submitted`,
    `${tasks.succeeded} succeeded`,
    `${tasks.failed} failed`,
    ...(tasks.timedOut > 0 ? [`${tasks.timedOut} timed out`] : []),
    ...(tasks.cancelled > 0 ? [`${tasks.cancelled} cancelled`] : []),
    `${tasks.lost} lost`,
    `${tasks.duplicateResults} with two results`,
  ];
  const broken = report.invariants.filter((invariant) => !invariant.held);
  return [
    ...renderReleases(report.releases, style),
    '',
    `tasks       ${counts.join(', ')}`,
    ...renderSteps(report),
    ...renderFaults(report, style),
    ...renderNode(report, style),
    ...renderWorkers(report, style),
    `routing     ${report.routing.violations} violations`,
    `permissions ${report.authorization.calls} calls checked, ${report.authorization.denied.length} denied`,
    `invariants  ${report.invariants.length - broken.length} of ${report.invariants.length} held`,
    ...broken.map(
      (invariant) =>
        `  ${style.failure('broken')}  ${invariant.name}: ${invariant.promise}\n          ${invariant.detail}`,
    ),
    '',
    `${report.passed ? style.success('PASSED') : style.failure('FAILED')}  ${report.scenario}, seed ${report.seed}, ${report.wallSeconds} s at speed ${report.speed}`,
  ].join('\n');
}

function renderSteps({ steps }: DrillReport): readonly string[] {
  return steps === undefined
    ? []
    : [
        `steps       ${steps.executed} executed, ${steps.replayed} replayed, ${steps.executedAfterFinish} executed again after they had finished`,
      ];
}

/** The Node.js that the handlers ran on, and a warning if Lambda would run them on another major version. */
function renderNode({ handlerNode: { version, otherRuntimes } }: DrillReport, style: Style): readonly string[] {
  const warning = `the template has functions with Runtime ${otherRuntimes.join(', ')}, and their handlers ran on Node.js ${version}: run the rehearsal on the Node.js of that runtime`;
  return [
    `node        handlers ran on Node.js ${version}`,
    ...(otherRuntimes.length > 0 ? [`  ${style.failure('warning')}  ${warning}`] : []),
  ];
}

/** One line per kind of fault: count, description, most frequent targets. */
function renderFaults({ faults }: DrillReport, style: Style): readonly string[] {
  if (faults === undefined) {
    return [];
  }
  const lines = Object.entries(FAULT_KINDS).flatMap(([kind, what]) => {
    const count = faults.byKind[kind] ?? 0;
    const targets = Object.entries(faults.byTarget[kind] ?? {});
    const most = targets.slice(0, 3).map(([target, times]) => `${target} ${times}`);
    const more = targets.length > most.length ? ', …' : '';
    return count === 0 ? [] : [`  ${String(count).padStart(5)}  ${what}${style.dim(`  ${most.join(', ')}${more}`)}`];
  });
  return [`faults      ${faults.injected} injected`, ...lines];
}

/** The workers, and one line per change of their desired count. */
function renderWorkers({ workers }: DrillReport, style: Style): readonly string[] {
  if (workers === undefined) {
    return [];
  }
  const { started, stopped, requeued, abandoned, late, scaling, secondsToFirstWorker } = workers;
  const ends = Object.entries(stopped).map(([code, count]) => `${count} ${code}`);
  const rows = scaling.map(({ lane, second, from, to, cause }) => [
    lane,
    `${second} s`,
    `${from} → ${to}`,
    style.dim(cause),
  ]);
  return [
    `workers     ${[`${started} started`, ...ends].join(', ')}`,
    `            ${plural(requeued, 'task')} requeued, ${plural(abandoned, 'attempt')} abandoned, ${plural(late, 'late result')}`,
    ...(secondsToFirstWorker === undefined
      ? []
      : [`            first worker ran ${secondsToFirstWorker} s after the first task`]),
    ...alignColumns(rows).map((row) => `  ${row}`),
  ];
}

function renderReleases(releases: readonly ReleaseReport[], style: Style): readonly string[] {
  const rows = releases.map((release) => [
    release.name,
    release.id ?? '–',
    release.expected,
    release.verdict,
    `${release.usersOnCandidate}/${release.usersTotal}`,
    String(release.tasks.stable),
    String(release.tasks.candidate),
    `${release.shiftSeconds} s`,
  ]);
  const header = ['release', 'id', 'expected', 'verdict', 'users', 'stable', 'candidate', 'shift'];
  const [title = '', ...lines] = alignColumns([header, ...rows]);
  return [
    style.bold(title),
    ...releases.flatMap((release, index) => {
      const row = lines[index] ?? '';
      const asExpected = release.verdict === release.expected;
      return [asExpected ? row : style.failure(row), style.dim(`  ${release.reason}`)];
    }),
  ];
}

/** Pads the cells so that columns align. */
function alignColumns(rows: readonly (readonly string[])[]): readonly string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
