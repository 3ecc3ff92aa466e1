/** A rotation cannot go on. The message says what to do, and never holds a key. */
export class RotationError extends Error {
  override readonly name = 'RotationError';
}
