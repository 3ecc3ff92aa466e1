import { laneError } from '../common';
import type { Difference } from './profile';

/** Reasons by the names of the settings that may differ. A name covers all settings below it. */
export type AcceptedDifferences = Readonly<Record<string, string>>;

/** Characters; a shorter text gives no reason. */
const MIN_REASON = 20;

/** Prefix of the settings of the services, which are compared at synth; all others are settings of the environments. */
export const SERVICE = 'service';

/** @throws LaneError for a reason that is too short */
export function checkReasons(accepted: AcceptedDifferences): void {
  for (const [name, reason] of Object.entries(accepted)) {
    if (reason.trim().length < MIN_REASON) {
      throw laneError(
        undefined,
        'InvalidAcceptanceReason',
        `accept of staging has "${reason}" as the reason why ${name} differs from production, expected at least ${MIN_REASON} characters that a reviewer can judge; write why staging must differ and what staging then does not prove about production`,
      );
    }
  }
}

/** Differences without an acceptance. */
export function unaccepted(differences: readonly Difference[], accepted: AcceptedDifferences): Difference[] {
  return differences.filter(({ name }) => !Object.keys(accepted).some((key) => covers(key, name)));
}

/** AcceptedDifferences names of settings that do not differ. */
export function stale(differences: readonly Difference[], accepted: AcceptedDifferences): string[] {
  return Object.keys(accepted).filter((key) => !differences.some(({ name }) => covers(key, name)));
}

/** Whether the name is that of a setting of a service. */
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

/** Message of the error about differences that are not accepted. */
export function stagingDiffers(differences: readonly Difference[]): string {
  return `${describeDifferences(differences)}: expected staging to equal production except for data and users, otherwise a rollout in staging proves nothing about production; use the same value in both, or accept the difference with a reason: AgentEnvironment.staging(production, { accept: { '${differences[0]?.name}': '…' } })`;
}

/** Message of the error about acceptances without a difference. */
export function staleAcceptance(names: readonly string[]): string {
  return `accept of staging names ${names.map((name) => `"${name}"`).join(', ')}, which ${names.length === 1 ? 'does' : 'do'} not differ from production: expected settings that differ, for an acceptance without a difference would hide a later one; remove it`;
}
