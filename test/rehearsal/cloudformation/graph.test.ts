import fc from 'fast-check';
import { findCycle, type Graph, restrictedTo, reversed, walk } from '../../../rehearsal/services/cloudformation/graph';

/** Acyclic by construction: a node needs only earlier ones. */
const graphs = fc
  .array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 1, maxLength: 15 })
  .map(
    (rows): Graph =>
      new Map(
        rows.map((row, index) => [`n${index}`, new Set(index === 0 ? [] : row.map((pick) => `n${pick % index}`))]),
      ),
  );

test('every node is worked on once, after all that it needs', async () => {
  await fc.assert(
    fc.asyncProperty(graphs, fc.integer({ min: 1, max: 5 }), async (graph, parallelism) => {
      const finished: string[] = [];
      const failures = await walk(graph, parallelism, async (node) => {
        for (const needed of graph.get(node) ?? []) {
          expect(finished).toContain(needed);
        }
        await new Promise((resolve) => setImmediate(resolve));
        finished.push(node);
      });
      expect(failures).toEqual([]);
      expect([...finished].sort()).toEqual([...graph.keys()].sort());
    }),
    { numRuns: 50 },
  );
});

test('nothing that needs a failed node is worked on', async () => {
  await fc.assert(
    fc.asyncProperty(graphs, fc.nat(), async (graph, pick) => {
      const broken = `n${pick % graph.size}`;
      const begun: string[] = [];
      const failures = await walk(graph, 3, async (node) => {
        begun.push(node);
        if (node === broken) {
          throw new Error('broken');
        }
      });
      expect(failures).toMatchObject([{ node: broken }]);
      const dependents = [...graph].filter(([, needed]) => needed.has(broken)).map(([node]) => node);
      expect(begun.filter((node) => dependents.includes(node))).toEqual([]);
    }),
    { numRuns: 50 },
  );
});

test('a restricted graph keeps the order through what is left out', () => {
  const graph: Graph = new Map([
    ['a', new Set()],
    ['b', new Set(['a'])],
    ['c', new Set(['b'])],
  ]);
  expect(restrictedTo(graph, new Set(['a', 'c']))).toEqual(
    new Map([
      ['a', new Set()],
      ['c', new Set(['a'])],
    ]),
  );
  expect(reversed(graph).get('a')).toEqual(new Set(['b']));
});

test('finds a circle and names it', () => {
  expect(
    findCycle(
      new Map([
        ['a', new Set(['b'])],
        ['b', new Set(['a'])],
      ]),
    ),
  ).toEqual(['a', 'b', 'a']);
  expect(findCycle(new Map([['a', new Set<string>()]]))).toBeUndefined();
});

test('reversing twice gives the graph again', () => {
  fc.assert(
    fc.property(graphs, (graph) => {
      expect(reversed(reversed(graph))).toEqual(graph);
    }),
  );
});
