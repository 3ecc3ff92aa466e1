import { evaluateMath, type Series } from './math-evaluator';
import { idsOf, MathError, type MathNode, parseMath } from './math-parser';
import type { MetricIdentity, MetricStore } from './metric-store';
import { computeStatistic, type Statistic } from './statistics';

/** One entry of a request for metric data: a statistic of a metric, or an expression over other entries. */
export type MetricQuery =
  | {
      readonly kind: 'metric';
      readonly id: string;
      readonly metric: MetricIdentity;
      readonly statistic: Statistic;
      readonly unit?: string;
      readonly returnData: boolean;
    }
  | {
      readonly kind: 'expression';
      readonly id: string;
      readonly expression: string;
      readonly math: MathNode;
      readonly returnData: boolean;
    };

/** Slots of one period each, oldest first. */
export interface Grid {
  readonly start: number;
  readonly periodMs: number;
  readonly slots: number;
}

/** @throws MathError naming the entry */
export function expressionQuery(id: string, expression: string, returnData: boolean): MetricQuery {
  return { kind: 'expression', id, expression, math: parseMath(expression), returnData };
}

/**
 * Checks that ids are well-formed and unique, that expressions use existing ids, and that none uses itself.
 *
 * @throws MathError naming the entry
 */
export function checkQueries(queries: readonly MetricQuery[]): void {
  const byId = new Map<string, MetricQuery>();
  for (const query of queries) {
    if (!/^[a-z][A-Za-z0-9_]*$/.test(query.id)) {
      throw new MathError(`id "${query.id}": expected a lower-case letter, then letters, digits or underscores`);
    }
    if (byId.has(query.id)) {
      throw new MathError(`id "${query.id}" is given twice`);
    }
    byId.set(query.id, query);
  }
  const visit = (id: string, path: readonly string[]): void => {
    const query = byId.get(id);
    if (query === undefined) {
      throw new MathError(`expression "${path.at(-1)}" uses the id "${id}", which names no metric or expression`);
    }
    if (path.includes(id)) {
      throw new MathError(`expressions use each other in a circle: ${[...path, id].join(' → ')}`);
    }
    if (query.kind === 'expression') {
      for (const used of idsOf(query.math)) {
        visit(used, [...path, id]);
      }
    }
  };
  for (const query of queries) {
    visit(query.id, []);
  }
}

/** Evaluates one entry on the grid. The queries must have passed {@link checkQueries}. */
export function evaluateQuery(store: MetricStore, queries: readonly MetricQuery[], id: string, grid: Grid): Series {
  const done = new Map<string, Series>();
  const seriesOf = (wanted: string): Series | undefined => {
    const known = done.get(wanted);
    if (known !== undefined) {
      return known;
    }
    const query = queries.find((candidate) => candidate.id === wanted);
    if (query === undefined) {
      return undefined;
    }
    const series =
      query.kind === 'metric'
        ? Array.from({ length: grid.slots }, (_, slot) => {
            const start = grid.start + slot * grid.periodMs;
            return computeStatistic(
              query.statistic,
              store.values(query.metric, start, start + grid.periodMs, query.unit),
            );
          })
        : evaluateMath(query.math, seriesOf, grid.slots);
    done.set(wanted, series);
    return series;
  };
  return seriesOf(id) ?? Array.from({ length: grid.slots }, () => undefined);
}
