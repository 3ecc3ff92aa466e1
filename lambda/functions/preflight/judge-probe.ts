import { probeResultSchema, type TaskRecord } from '../../../lib/contract';
import type { HookResult } from '../../shared/aws/lifecycle-hook';
import { traceRootOf } from '../../shared/telemetry/trace-header';

export interface Expectation {
  readonly release: string;
  /** Trace header that was sent with the probe. */
  readonly traceHeader: string;
}

/** Judges a probe that reached a final status. Names everything that is wrong, not only the first thing. */
export function judgeProbe(task: TaskRecord, { release, traceHeader }: Expectation): HookResult {
  const problems: string[] = [];
  if (task.status !== 'succeeded') {
    const why = task.error === undefined ? '' : ` (${task.error.code}: ${task.error.message})`;
    problems.push(`the probe ended as ${task.status}${why}`);
  }
  if (task.release !== release) {
    problems.push(`the probe was run by release ${task.release ?? 'none'}, expected ${release}`);
  }
  const result = probeResultSchema.safeParse(task.result);
  if (result.success) {
    const { checks } = result.data;
    if (result.data.release !== release) {
      problems.push(`the probe's result names release ${result.data.release}, expected ${release}`);
    }
    if (checks.length === 0) {
      problems.push('the probe ran no check');
    }
    for (const { name, message } of checks.filter(({ ok }) => !ok)) {
      problems.push(`check ${name} failed: ${message ?? 'no reason given'}`);
    }
  } else if (task.status === 'succeeded') {
    problems.push('the probe left no result that can be read');
  }
  const sent = traceRootOf(traceHeader);
  const seen = traceRootOf(task.trace);
  if (seen !== sent) {
    problems.push(`tracing is broken: the probe was sent with trace ${sent} and ran under ${seen ?? 'none'}`);
  }
  const details = { task: task.id, release, checks: result.success ? result.data.checks : [] };
  return problems.length === 0
    ? { passed: true, reason: `preflight passed: release ${release} answered a probe`, details }
    : { passed: false, reason: `preflight failed: ${problems.join('; ')}`, details };
}
