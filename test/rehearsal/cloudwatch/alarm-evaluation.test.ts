import fc from 'fast-check';
import {
  evaluateState,
  evaluationRange,
  type MissingData,
} from '../../../rehearsal/services/cloudwatch/alarm-evaluation';

/** 0: within the threshold, X: breaching, -: missing; oldest first, as AWS writes it. */
function points(text: string): (boolean | undefined)[] {
  return text.split(' ').map((point) => (point === '-' ? undefined : point === 'X'));
}

const MODES: readonly MissingData[] = ['missing', 'ignore', 'breaching', 'notBreaching'];

describe('the tables of the AWS document on missing data', () => {
  // Columns: missing, ignore, breaching, notBreaching.
  test.each([
    [3, '0 - X - X', ['OK', 'OK', 'OK', 'OK']],
    [3, '0 - - - -', ['OK', 'OK', 'OK', 'OK']],
    [3, '- - - - 0', ['OK', 'OK', 'OK', 'OK']],
    [3, '- - - - -', ['INSUFFICIENT_DATA', 'retain', 'ALARM', 'OK']],
    [3, '0 X X - X', ['ALARM', 'ALARM', 'ALARM', 'ALARM']],
    [3, '- - X - -', ['ALARM', 'retain', 'ALARM', 'OK']],
    [3, '- - - - X', ['INSUFFICIENT_DATA', 'retain', 'ALARM', 'OK']],
    [2, '0 - X - X', ['ALARM', 'ALARM', 'ALARM', 'ALARM']],
    [2, '0 0 X 0 X', ['ALARM', 'ALARM', 'ALARM', 'ALARM']],
    [2, '0 - X - -', ['OK', 'OK', 'ALARM', 'OK']],
    [2, '- - - - 0', ['OK', 'OK', 'ALARM', 'OK']],
    [2, '- - - X -', ['ALARM', 'retain', 'ALARM', 'OK']],
    [2, '- - - - X', ['INSUFFICIENT_DATA', 'retain', 'ALARM', 'OK']],
  ])('%i of 3: %s', (datapointsToAlarm, text, expected) => {
    const judged = MODES.map((treatMissingData) =>
      evaluateState({ evaluationPeriods: 3, datapointsToAlarm, treatMissingData }, points(text)),
    );
    expect(judged).toEqual(expected);
  });
});

const range = fc
  .record({ n: fc.integer({ min: 1, max: 8 }), m: fc.integer({ min: 1, max: 8 }) })
  .filter(({ n, m }) => m <= n)
  .chain(({ n, m }) =>
    fc.record({
      n: fc.constant(n),
      m: fc.constant(m),
      series: fc.array(fc.option(fc.boolean(), { nil: undefined }), {
        minLength: evaluationRange(n),
        maxLength: evaluationRange(n),
      }),
    }),
  );

test('without missing data the mode does not matter, and M of the last N decide', () => {
  fc.assert(
    fc.property(range, ({ n, m, series }) => {
      const full = series.map((point) => point ?? false);
      const expected = full.slice(-n).filter((point) => point).length >= m ? 'ALARM' : 'OK';
      for (const treatMissingData of MODES) {
        expect(evaluateState({ evaluationPeriods: n, datapointsToAlarm: m, treatMissingData }, full)).toBe(expected);
      }
    }),
  );
});

test('treating missing data as breaching never judges more leniently than treating it as not breaching', () => {
  fc.assert(
    fc.property(range, ({ n, m, series }) => {
      const rule = { evaluationPeriods: n, datapointsToAlarm: m };
      if (evaluateState({ ...rule, treatMissingData: 'notBreaching' }, series) === 'ALARM') {
        expect(evaluateState({ ...rule, treatMissingData: 'breaching' }, series)).toBe('ALARM');
      }
    }),
  );
});

test('notBreaching and breaching always decide; only ignore retains the state', () => {
  fc.assert(
    fc.property(range, ({ n, m, series }) => {
      const rule = { evaluationPeriods: n, datapointsToAlarm: m };
      expect(['OK', 'ALARM']).toContain(evaluateState({ ...rule, treatMissingData: 'breaching' }, series));
      expect(['OK', 'ALARM']).toContain(evaluateState({ ...rule, treatMissingData: 'notBreaching' }, series));
      expect(evaluateState({ ...rule, treatMissingData: 'missing' }, series)).not.toBe('retain');
    }),
  );
});

test('one more breaching data point never turns an alarm off', () => {
  fc.assert(
    fc.property(range, fc.nat(), fc.constantFrom(...MODES), ({ n, m, series }, at, treatMissingData) => {
      const rule = { evaluationPeriods: n, datapointsToAlarm: m, treatMissingData };
      const index = at % series.length;
      fc.pre(series[index] === false);
      const worse = series.map((point, slot) => (slot === index ? true : point));
      if (evaluateState(rule, series) === 'ALARM') {
        expect(evaluateState(rule, worse)).toBe('ALARM');
      }
    }),
  );
});
