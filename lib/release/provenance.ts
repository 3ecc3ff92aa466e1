import { execFileSync } from 'node:child_process';

/** Where a release came from, as far as git knows. */
export interface Provenance {
  /** Last commit that touched the behavior or the code. */
  readonly revision?: string;
  /** Its author's name. */
  readonly author?: string;
  /** When it was made, ISO 8601. */
  readonly time?: string;
}

function git(...args: string[]): string | undefined {
  try {
    // Without optional locks: looking must not get into the way of another git command.
    return execFileSync('git', ['--no-optional-locks', ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 5_000,
    }).trimEnd();
  } catch {
    // No git, no repository, a path outside of it: nothing is known.
    return undefined;
  }
}

/**
 * Asks git for the last commit that touched any of the paths. Not HEAD: a commit elsewhere in the repository must not
 * change the template.
 *
 * @returns nothing when it is not known: outside a repository; with uncommitted changes in the paths; in a shallow
 * clone whose history ends before the answer
 */
export function provenanceOf(paths: readonly string[]): Provenance {
  if (paths.length === 0 || git('status', '--porcelain', '--', ...paths) !== '') {
    return {};
  }
  const [revision, parents, author, time] =
    git('log', '-1', '--format=%H%n%P%n%an%n%cI', '--', ...paths)?.split('\n') ?? [];
  if (revision === undefined || parents === undefined || author === undefined || time === undefined) {
    return {};
  }
  // Where a shallow history is cut off, git shows the commit as having touched everything.
  if (parents === '' && git('rev-parse', '--is-shallow-repository') !== 'false') {
    return {};
  }
  return { revision, author, time };
}
