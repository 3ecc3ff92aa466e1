import * as fc from 'fast-check';
import { type GateEvidence, judgeStage, type VerdictConditions } from '../../../../lambda/shared/evidence/verdict';

const BAKED: VerdictConditions = { baked: true, logSampleRatio: 0, fresh: true };

function gate(name: string, values: Partial<GateEvidence> = {}): GateEvidence {
  return { name, severity: 'critical', logHarm: 0, logSafety: Math.log(20), users: 200, ...values };
}

test('harm proved by one critical gate rolls back at once, also before the stage has baked', () => {
  const gates = [gate('cost'), gate('errors', { logHarm: Math.log(2 / 0.05) })];
  expect(judgeStage(gates, { ...BAKED, baked: false })).toEqual({ action: 'rollback', gates: ['errors'] });
});

test('critical gates share the error rate: five of them need more evidence than one', () => {
  const logHarm = Math.log(50);
  expect(judgeStage([gate('errors', { logHarm })], BAKED).action).toBe('rollback');
  const five = ['errors', 'b', 'c', 'd', 'e'].map((name) => gate(name, name === 'errors' ? { logHarm } : {}));
  expect(judgeStage(five, BAKED).action).toBe('proceed');
});

test('safety must be proved by every critical gate', () => {
  expect(judgeStage([gate('cost'), gate('errors')], BAKED)).toEqual({ action: 'proceed', grade: 'proof_of_safety' });
  expect(judgeStage([gate('cost'), gate('errors', { logSafety: 1 })], BAKED)).toEqual({
    action: 'pause_and_investigate',
    reason: 'underpowered',
    gates: ['errors'],
  });
});

test('a gate without any judged user is quiet', () => {
  expect(judgeStage([gate('quality', { logSafety: 0, users: 0 })], BAKED)).toMatchObject({
    reason: 'quiet',
    gates: ['quality'],
  });
});

test.each<[string, Partial<VerdictConditions>]>([
  ['not_baked', { baked: false }],
  ['stale', { fresh: false }],
  ['sample_ratio', { logSampleRatio: Math.log(100) }],
])('pauses: %s', (reason, conditions) => {
  expect(judgeStage([gate('cost')], { ...BAKED, ...conditions })).toMatchObject({
    action: 'pause_and_investigate',
    reason,
  });
});

test('a warning gate pauses and never rolls back', () => {
  const gates = [gate('cost'), gate('tools', { severity: 'warning', logHarm: 100 })];
  expect(judgeStage(gates, BAKED)).toEqual({
    action: 'pause_and_investigate',
    reason: 'warning_gate',
    gates: ['tools'],
  });
});

test('the low-traffic policy proceeds on "no harm shown" with enough users in every critical gate, as the weaker grade', () => {
  const gates = [gate('cost', { logSafety: 0, users: 20 }), gate('errors', { logSafety: 0, users: 20 })];
  expect(judgeStage(gates, { ...BAKED, minUsersWithoutHarm: 20 })).toEqual({
    action: 'proceed',
    grade: 'no_harm_shown',
  });
  expect(judgeStage(gates, { ...BAKED, minUsersWithoutHarm: 21 }).action).toBe('pause_and_investigate');
});

test('more evidence of harm never turns a rollback into something else', () => {
  const evidence = fc.double({ min: -5, max: 12, noNaN: true });
  const some = fc.record({
    logHarm: evidence,
    logSafety: evidence,
    users: fc.nat({ max: 300 }),
    severity: fc.constantFrom('critical' as const, 'warning' as const),
  });
  fc.assert(
    fc.property(fc.array(some, { minLength: 1, maxLength: 5 }), fc.nat({ max: 4 }), evidence, (values, index, more) => {
      const gates = values.map((value, at) => gate(`g${at}`, value));
      if (judgeStage(gates, BAKED).action === 'rollback') {
        const worse = gates.map((one, at) => (at === index ? { ...one, logHarm: one.logHarm + Math.abs(more) } : one));
        expect(judgeStage(worse, BAKED).action).toBe('rollback');
      }
    }),
  );
});
