import { InvalidArgumentError } from 'commander';

/** For options: a number within limits. */
export function numberBetween(minimum: number, maximum: number, whole = false): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (
      text.trim() === '' ||
      !Number.isFinite(value) ||
      value < minimum ||
      value > maximum ||
      (whole && !Number.isInteger(value))
    ) {
      throw new InvalidArgumentError(`expected a ${whole ? 'whole ' : ''}number from ${minimum} to ${maximum}.`);
    }
    return value;
  };
}
