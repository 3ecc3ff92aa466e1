import { createHash } from 'node:crypto';

/** Gives the next number of a sequence, 0 inclusive to 1 exclusive. */
export type Random = () => number;

/**
 * A sequence of numbers that is the same for the same seed on every machine (xoshiro128**, seeded by SHA-256). For
 * scripts and traffic that must repeat; not for secrets.
 */
export function seededRandom(seed: string): Random {
  const digest = createHash('sha256').update(seed).digest();
  let a = digest.readUInt32LE(0);
  let b = digest.readUInt32LE(4);
  let c = digest.readUInt32LE(8);
  let d = digest.readUInt32LE(12);
  return () => {
    const scrambled = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = (b << 9) >>> 0;
    c = (c ^ a) >>> 0;
    d = (d ^ b) >>> 0;
    b = (b ^ c) >>> 0;
    a = (a ^ d) >>> 0;
    c = (c ^ shifted) >>> 0;
    d = rotateLeft(d, 11);
    return scrambled / 2 ** 32;
  };
}

/** The items in a random order; the given array stays as it is. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const pool = [...items];
  const result: T[] = [];
  while (pool.length > 0) {
    result.push(...pool.splice(Math.floor(random() * pool.length), 1));
  }
  return result;
}

function rotateLeft(value: number, bits: number): number {
  return ((value << bits) | (value >>> (32 - bits))) >>> 0;
}
