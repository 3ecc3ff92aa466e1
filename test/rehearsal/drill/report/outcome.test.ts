import {
  type DeploymentFacts,
  isSettled,
  outcomeOf,
  shiftSecondsOf,
  valvePeriods,
} from '../../../../rehearsal/drill/report/outcome';
import { minute } from '../histories';

const facts = (overrides: Partial<DeploymentFacts> = {}): DeploymentFacts => ({
  status: 'UPDATE_COMPLETE',
  failure: undefined,
  startedAt: minute(0),
  endedAt: minute(30),
  shift: {
    steps: [
      { at: minute(5), weight: 0.1 },
      { at: minute(15), weight: 1 },
    ],
    endedAt: minute(16),
    stopCauses: [],
  },
  promotedAt: minute(20),
  ...overrides,
});
const { shift: _, ...rest } = facts();
const noShift: DeploymentFacts = { ...rest, shift: undefined };
const flippedBack = facts({
  status: 'UPDATE_ROLLBACK_COMPLETE',
  failure: 'Live: the alarm fired',
  promotedAt: undefined,
  shift: {
    steps: [
      { at: minute(5), weight: 0.1 },
      { at: minute(9), weight: 0 },
    ],
    endedAt: minute(9),
    stopCauses: ['gate errors in ALARM at 0.4, threshold 0.05'],
  },
});

describe('outcomeOf', () => {
  test('a completed deployment is promoted, with or without a shift', () => {
    expect(outcomeOf(facts())).toEqual({ verdict: 'promoted', reason: 'no gate fired at 10 %, 100 %' });
    expect(outcomeOf({ ...noShift, status: 'CREATE_COMPLETE' }).reason).toContain('initial deployment');
    expect(outcomeOf({ ...noShift, status: 'NO_CHANGES' })).toEqual({
      verdict: 'promoted',
      reason: 'nothing to change',
    });
  });

  test('a failed deployment is rolled back if users may have reached it, with the gate as reason', () => {
    expect(outcomeOf(flippedBack)).toEqual({
      verdict: 'rolled_back',
      reason: 'gate errors in ALARM at 0.4, threshold 0.05',
    });
  });

  test('a failed deployment is refused if no user reached it', () => {
    const refused = { ...noShift, status: 'UPDATE_ROLLBACK_COMPLETE', failure: 'Live: the preflight failed' };
    expect(outcomeOf(refused)).toEqual({ verdict: 'refused', reason: 'Live: the preflight failed' });
  });

  test('reports the failure of the stack when nothing stopped the shift', () => {
    const failed = facts({ status: 'UPDATE_ROLLBACK_COMPLETE', failure: 'Record: throttled', promotedAt: undefined });
    expect(outcomeOf(failed)).toEqual({ verdict: 'rolled_back', reason: 'Record: throttled' });
  });

  test('reports a stack that did not settle', () => {
    expect(outcomeOf({ ...noShift, status: 'UPDATE_ROLLBACK_FAILED' }).reason).toContain(
      'is in UPDATE_ROLLBACK_FAILED',
    );
    expect(isSettled('UPDATE_ROLLBACK_FAILED')).toBe(false);
  });
});

describe('valvePeriods', () => {
  test('stays closed without a shift', () => {
    expect(valvePeriods(noShift)).toEqual([{ share: 0, from: minute(0), to: Number.POSITIVE_INFINITY }]);
  });

  test('opens step by step and closes with the promotion', () => {
    expect(valvePeriods(facts())).toEqual([
      { share: 0, from: minute(0), to: minute(5) },
      { share: 0.1, from: minute(5), to: minute(15) },
      { share: 1, from: minute(15), to: minute(20) },
      { share: 0, from: minute(20), to: Number.POSITIVE_INFINITY },
    ]);
  });

  test('closes when the alias is rolled back', () => {
    expect(valvePeriods(flippedBack)).toEqual([
      { share: 0, from: minute(0), to: minute(5) },
      { share: 0.1, from: minute(5), to: minute(9) },
      { share: 0, from: minute(9), to: Number.POSITIVE_INFINITY },
    ]);
  });

  test('may have closed at any time between the end of the shift and the end of the rollback', () => {
    const { promotedAt: _promotedAt, ...rollBack } = facts({ status: 'UPDATE_ROLLBACK_COMPLETE' });
    expect(valvePeriods({ ...rollBack, promotedAt: undefined }).slice(-2)).toEqual([
      { share: 1, from: minute(15), to: minute(30) },
      { share: 0, from: minute(16), to: Number.POSITIVE_INFINITY },
    ]);
  });
});

test('shiftSecondsOf gives real seconds', () => {
  expect(shiftSecondsOf(facts(), 60)).toBe(11);
  expect(shiftSecondsOf(noShift, 60)).toBe(0);
});
