import { findingOf, type Invariant, plural } from './invariant';

export const expectedVerdicts: Invariant = {
  name: 'expected-verdicts',
  promise: 'every release ends as the scenario expects, for the cause that it names',
  check: ({ releases }) => {
    const broken = releases.flatMap((release) => {
      const { name, cause, stoppedBy } = release;
      if (release.verdict !== release.expected) {
        return [`${name}: expected ${release.expected}, was ${release.verdict} (${release.reason})`];
      }
      const problems: string[] = [];
      if (cause?.gate !== undefined) {
        const gate = cause.gate.toLowerCase();
        const others = stoppedBy.filter((alarm) => alarm.toLowerCase() !== gate);
        if (stoppedBy.length === 0) {
          problems.push(`${name}: expected a rollback by gate ${cause.gate}, no alarm fired (${release.reason})`);
        } else if (others.length > 0) {
          problems.push(`${name}: expected a rollback by gate ${cause.gate} only, ${others.join(', ')} fired too`);
        }
      }
      if (cause?.reason !== undefined && !release.reason.toLowerCase().includes(cause.reason.toLowerCase())) {
        problems.push(`${name}: expected a reason with "${cause.reason}", was: ${release.reason}`);
      }
      if (release.expectNoChanges && release.changed.length > 0) {
        problems.push(`${name}: expected no change, but ${release.changed.join(', ')} changed`);
      }
      return problems;
    });
    return findingOf(
      broken,
      releases.map((release) => `${release.name} ${release.verdict}`).join(', ') || plural(0, 'release'),
    );
  },
};
