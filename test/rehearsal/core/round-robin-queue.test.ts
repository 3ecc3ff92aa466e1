import fc from 'fast-check';
import { RoundRobinQueue } from '../../../rehearsal/core/round-robin-queue';

/** What the line does, written down as plainly as possible. */
class Model {
  private turns: { group: string; members: number[] }[] = [];

  add(group: string, value: number): void {
    const found = this.turns.find((turn) => turn.group === group);
    if (found === undefined) {
      this.turns.push({ group, members: [value] });
    } else {
      found.members.push(value);
    }
  }

  take(): number | undefined {
    const turn = this.turns.shift();
    const value = turn?.members.shift();
    if (turn !== undefined && turn.members.length > 0) {
      this.turns.push(turn);
    }
    return value;
  }

  remove(value: number): void {
    for (const turn of this.turns) {
      turn.members = turn.members.filter((member) => member !== value);
    }
    this.turns = this.turns.filter((turn) => turn.members.length > 0);
  }
}

test('the line serves groups in turns, whatever is added and removed in between', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), group: fc.constantFrom('a', 'b', 'c') }),
    fc.record({ kind: fc.constant('take' as const) }),
    fc.record({ kind: fc.constant('remove' as const), pick: fc.nat(30) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const line = new RoundRobinQueue<number>();
      const model = new Model();
      const places: ReturnType<typeof line.add>[] = [];
      let inside = 0;
      const gone = new Set<number>();
      for (const one of steps) {
        if (one.kind === 'add') {
          model.add(one.group, places.length);
          places.push(line.add(one.group, places.length));
          inside += 1;
        } else if (one.kind === 'take') {
          const value = line.take();
          expect(value).toBe(model.take());
          if (value !== undefined) {
            gone.add(value);
            inside -= 1;
          }
        } else {
          const place = places[one.pick];
          if (place !== undefined) {
            // Removing what is gone is without effect.
            line.remove(place);
            model.remove(one.pick);
            inside -= gone.has(one.pick) ? 0 : 1;
            gone.add(one.pick);
          }
        }
        expect(line.size).toBe(inside);
      }
    }),
  );
});
