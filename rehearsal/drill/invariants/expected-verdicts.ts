import { type Invariant, judge, plural } from './invariant';

export const expectedVerdicts: Invariant = {
  name: 'expected-verdicts',
  promise: 'every release ends as the scenario expects, for the reason that it names',
  check: ({ releases }) => {
    const broken = releases.flatMap((release) => {
      const { name, because, stoppedBy } = release;
      if (release.verdict !== release.expected) {
        return [`${name}: expected ${release.expected}, was ${release.verdict} (${release.reason})`];
      }
      const problems: string[] = [];
      if (because?.gate !== undefined) {
        const gate = because.gate.toLowerCase();
        const others = stoppedBy.filter((alarm) => alarm.toLowerCase() !== gate);
        if (stoppedBy.length === 0) {
          problems.push(`${name}: expected the gate ${because.gate} to take it back, no alarm did (${release.reason})`);
        } else if (others.length > 0) {
          problems.push(`${name}: expected only the gate ${because.gate} to take it back, so did ${others.join(', ')}`);
        }
      }
      if (because?.reason !== undefined && !release.reason.toLowerCase().includes(because.reason.toLowerCase())) {
        problems.push(`${name}: expected a reason with "${because.reason}", was: ${release.reason}`);
      }
      if (release.mustBeUnchanged && release.changed.length > 0) {
        problems.push(`${name}: expected no change, changed ${release.changed.join(', ')}`);
      }
      return problems;
    });
    return judge(
      broken,
      releases.map((release) => `${release.name} ${release.verdict}`).join(', ') || plural(0, 'release'),
    );
  },
};
