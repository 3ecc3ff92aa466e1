import { randomBytes } from 'node:crypto';
import type { StackContext } from './resource';

export interface PhysicalNameOptions {
  /** Longest name that the service accepts. Characters. */
  readonly maxLength: number;
  /**
   * Only lower case letters.
   * @default false
   */
  readonly lowerCase?: boolean;
}

const SUFFIX_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

/**
 * The name that CloudFormation gives to a resource whose template gives none: stack, logical id and a random suffix, so
 * that a replacement can exist beside the old resource.
 */
export function physicalName(
  stack: Pick<StackContext, 'stackName'>,
  logicalId: string,
  options: PhysicalNameOptions,
): string {
  const suffix = randomSuffix(12);
  const room = options.maxLength - suffix.length - 1;
  // Both halves are shortened alike, as CloudFormation does, so that neither disappears.
  const half = Math.floor((room - 1) / 2);
  const stem = `${stack.stackName}-${logicalId}`;
  const short = stem.length <= room ? stem : `${stack.stackName.slice(0, half)}-${logicalId.slice(0, half)}`;
  const name = `${short}-${suffix}`;
  return options.lowerCase === true ? name.toLowerCase() : name;
}

/** `length` random capital letters and digits. */
export function randomSuffix(length: number): string {
  return Array.from(randomBytes(length), (byte) => SUFFIX_ALPHABET[byte % SUFFIX_ALPHABET.length]).join('');
}
