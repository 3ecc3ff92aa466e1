import { InvalidArgumentError } from 'commander';

/** Where a command writes. Tests replace it. */
export interface Terminal {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
  readonly isTTY: boolean;
}

export const TERMINAL: Terminal = {
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
  isTTY: process.stdout.isTTY === true,
};

/** Exit codes of the commands that run a rehearsal. */
export const ExitCode = {
  /** Every invariant held. */
  PASSED: 0,
  /** The run ended, and at least one invariant is broken. */
  BROKEN: 1,
  /** The command line or the scenario is wrong. */
  USAGE: 2,
  /** The run could not be completed: the app does not synthesize, the rehearsal does not support the template, … */
  FAILED: 3,
  /** Ended by SIGINT or SIGTERM. Shells use this value for SIGINT. */
  INTERRUPTED: 130,
} as const;

export const EXIT_CODE_HELP = `Exit codes:
  0    every invariant held
  1    the run ended, and an invariant is broken
  2    the command line or the scenario is wrong
  3    the run could not be completed
  130  interrupted; everything that the run had started has been stopped`;

/** Parses an option: a number within bounds. */
export function numberBetween(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || value < min || value > max) {
      throw new InvalidArgumentError(`It must be a number between ${min} and ${max}.`);
    }
    return value;
  };
}

/** Parses an option: an integer within bounds. */
export function integerBetween(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`It must be an integer between ${min} and ${max}.`);
    }
    return value;
  };
}

const SECONDS_PER_UNIT: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Parses an option: an integer number of seconds, minutes, hours or days. @returns seconds */
export function durationInSeconds(text: string): number {
  const [, count, unit = 's'] = /^(\d{1,9})([smhd])?$/.exec(text.trim()) ?? [];
  const seconds = SECONDS_PER_UNIT[unit];
  if (count === undefined || seconds === undefined) {
    throw new InvalidArgumentError('It must be a number followed by s, m, h or d, for example 90s, 15m, 2h or 7d.');
  }
  return Number(count) * seconds;
}
