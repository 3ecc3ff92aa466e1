import type { RehearsalClock } from '../../core/clock';
import type { LambdaPort } from '../../core/ports';
import type { ResourceHandler } from '../../core/resource';
import { ruleHandler } from './resources';

export interface EventsDeps {
  readonly clock: RehearsalClock;
  readonly lambda: LambdaPort;
}

export interface Events {
  readonly handlers: readonly ResourceHandler[];
  stop(): void;
}

/** EventBridge as far as it runs functions at a rate. */
export function createEvents({ clock, lambda }: EventsDeps): Events {
  const rules = ruleHandler(clock, lambda);
  return { handlers: [rules], stop: () => rules.stop() };
}
