import type { RehearsalService } from '../../core/service';
import { stsOperations } from './operations';

export interface Sts {
  readonly service: RehearsalService;
}

/** STS: the identity of a caller. */
export function createSts(): Sts {
  return { service: stsOperations() };
}
