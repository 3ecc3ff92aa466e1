import { execFileSync } from 'node:child_process';

/** The commit of a release, as far as git knows it. */
export interface Provenance {
  /** Last commit that changed the behavior or the code. */
  readonly revision?: string;
  /** Its author's name. */
  readonly author?: string;
  /** When it was made, ISO 8601. */
  readonly time?: string;
}

function git(...args: string[]): string | undefined {
  try {
    // Without optional locks: reading must not block another git command.
    return execFileSync('git', ['--no-optional-locks', ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 5_000,
    }).trimEnd();
  } catch {
    // No git, no repository, or a path outside of it.
    return undefined;
  }
}

/**
 * The last commit that changed any of the paths. Not HEAD: a commit elsewhere in the repository must not change the
 * template.
 *
 * @returns empty outside a repository, with uncommitted changes in the paths, and in a shallow clone whose history ends
 * before that commit
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
  // At the end of a shallow history git shows the commit as if it had changed everything.
  if (parents === '' && git('rev-parse', '--is-shallow-repository') !== 'false') {
    return {};
  }
  return { revision, author, time };
}
