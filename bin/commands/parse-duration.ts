import { InvalidArgumentError } from 'commander';

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** For options: a whole number of seconds, minutes, hours or days. @returns seconds */
export function durationInSeconds(text: string): number {
  const [, count, unit = 's'] = /^(\d{1,9})([smhd])?$/.exec(text.trim()) ?? [];
  const seconds = SECONDS[unit];
  if (count === undefined || seconds === undefined) {
    throw new InvalidArgumentError('expected a number and s, m, h or d, for instance 90s, 15m, 2h or 7d.');
  }
  return Number(count) * seconds;
}
