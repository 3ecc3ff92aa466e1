/** Exit codes of the commands that run a rehearsal. */
export const ExitCode = {
  /** Every invariant held. */
  PASSED: 0,
  /** The run ended, and at least one invariant is broken. */
  BROKEN: 1,
  /** Wrong usage, or a scenario that is refused. */
  USAGE: 2,
  /** The run could not be carried out: the app does not synthesize, the template cannot be rehearsed, … */
  COULD_NOT_RUN: 3,
  /** Ended by SIGINT, as shells count it. */
  INTERRUPTED: 130,
} as const;

export const EXIT_CODE_HELP = `Exit codes:
  0  every invariant held
  1  the run ended, and an invariant is broken
  2  wrong usage, or a scenario that is refused
  3  the run could not be carried out`;
