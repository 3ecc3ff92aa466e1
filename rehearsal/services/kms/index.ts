import type { ResourceHandler } from '../../core/resource';
import { aliasHandler, keyHandler } from './resources';

export interface Kms {
  readonly handlers: readonly ResourceHandler[];
}

/** KMS: keys and aliases exist and can be referred to. */
export function createKms(): Kms {
  return { handlers: [keyHandler(), aliasHandler()] };
}
