/** Node → the nodes that it depends on. */
export type Graph = ReadonlyMap<string, ReadonlySet<string>>;

/** One cycle of dependencies, or undefined. */
export function findCycle(graph: Graph): readonly string[] | undefined {
  const done = new Set<string>();
  const visit = (node: string, path: readonly string[]): readonly string[] | undefined => {
    if (done.has(node)) {
      return undefined;
    }
    const start = path.indexOf(node);
    if (start >= 0) {
      return [...path.slice(start), node];
    }
    for (const next of graph.get(node) ?? []) {
      const cycle = visit(next, [...path, node]);
      if (cycle !== undefined) {
        return cycle;
      }
    }
    done.add(node);
    return undefined;
  };
  for (const node of graph.keys()) {
    const cycle = visit(node, []);
    if (cycle !== undefined) {
      return cycle;
    }
  }
  return undefined;
}

/** The graph with every edge reversed: dependents first. */
export function reversed(graph: Graph): Graph {
  const result = new Map<string, Set<string>>([...graph.keys()].map((node) => [node, new Set<string>()]));
  for (const [node, needed] of graph) {
    for (const other of needed) {
      result.get(other)?.add(node);
    }
  }
  return result;
}

/**
 * The graph restricted to some of its nodes. Dependencies through omitted nodes are kept, so the order stays correct.
 */
export function restrictedTo(graph: Graph, nodes: ReadonlySet<string>): Graph {
  const reach = (node: string, seen: Set<string>, found: Set<string>): void => {
    for (const next of graph.get(node) ?? []) {
      if (seen.has(next)) {
        continue;
      }
      seen.add(next);
      if (nodes.has(next)) {
        found.add(next);
      } else {
        reach(next, seen, found);
      }
    }
  };
  return new Map(
    [...nodes].map((node) => {
      const found = new Set<string>();
      reach(node, new Set([node]), found);
      return [node, found];
    }),
  );
}

/**
 * Processes every node after its dependencies, independent nodes in parallel. After the first failure no further node
 * starts; running ones finish.
 *
 * @returns failures in the order in which they happened
 */
export async function walk(
  graph: Graph,
  parallelism: number,
  work: (node: string) => Promise<void>,
  continueOnFailure = false,
): Promise<readonly { readonly node: string; readonly error: unknown }[]> {
  const failures: { node: string; error: unknown }[] = [];
  const done = new Set<string>();
  const begun = new Set<string>();
  const running = new Set<Promise<void>>();
  const ready = () =>
    [...graph].find(
      ([node, needed]) => !begun.has(node) && [...needed].every((other) => done.has(other) || !graph.has(other)),
    )?.[0];
  for (;;) {
    for (
      let node = ready();
      node !== undefined && running.size < parallelism && (continueOnFailure || failures.length === 0);
      node = ready()
    ) {
      const current = node;
      begun.add(current);
      const task: Promise<void> = work(current)
        .then(
          () => {
            done.add(current);
          },
          (error: unknown) => {
            failures.push({ node: current, error });
            if (continueOnFailure) {
              done.add(current);
            }
          },
        )
        .finally(() => running.delete(task));
      running.add(task);
    }
    if (running.size === 0) {
      return failures;
    }
    await Promise.race(running);
  }
}
