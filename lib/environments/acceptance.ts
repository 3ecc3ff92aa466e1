import { laneError } from '../common';
import type { Difference } from './profile';

/** Reasons by the names of the settings that may differ. A name stands for all settings below it, too. */
export type Accepted = Readonly<Record<string, string>>;

/** Shorter texts are no reasons. */
const MIN_REASON = 20;

/** Settings of the services, which only the synthesis can compare; the rest are those of the environments themselves. */
export const SERVICE = 'service';

/** @throws LaneError for a reason that gives none */
export function checkReasons(accepted: Accepted): void {
  for (const [name, reason] of Object.entries(accepted)) {
    if (reason.trim().length < MIN_REASON) {
      throw laneError(
        undefined,
        'InvalidAcceptanceReason',
        `accept of staging gives "${reason}" as the reason why ${name} differs from production: expected at least ${MIN_REASON} characters that a reviewer can judge; write why staging must differ and what production is then not shown by it`,
      );
    }
  }
}

/** Differences that nobody accepted. */
export function unaccepted(differences: readonly Difference[], accepted: Accepted): Difference[] {
  return differences.filter(({ name }) => !Object.keys(accepted).some((key) => covers(key, name)));
}

/** Names that were accepted and do not differ. */
export function stale(differences: readonly Difference[], accepted: Accepted): string[] {
  return Object.keys(accepted).filter((key) => !differences.some(({ name }) => covers(key, name)));
}

export function isOfService(name: string): boolean {
  return covers(SERVICE, name);
}

function covers(key: string, name: string): boolean {
  return name === key || name.startsWith(`${key}.`);
}

/** `limits.maxCost is 0.1 in staging and 0.25 in production; …` */
export function describeDifferences(differences: readonly Difference[]): string {
  return differences
    .map(
      ({ name, values: [staging, production] }) => `${name} is ${staging} in staging and ${production} in production`,
    )
    .join('; ');
}

export function stagingDiffers(differences: readonly Difference[]): string {
  return `${describeDifferences(differences)}: expected staging to be what production is but for data and users, or a rollout that went well there says nothing; give both the same, or accept the difference with its reason: AgentEnvironment.staging(production, { accept: { '${differences[0]?.name}': '…' } })`;
}

export function staleAcceptance(names: readonly string[]): string {
  return `accept of staging names ${names.map((name) => `"${name}"`).join(', ')}, which ${names.length === 1 ? 'does' : 'do'} not differ from production: expected settings that differ, for an acceptance without a difference would hide the next one; take it out`;
}
