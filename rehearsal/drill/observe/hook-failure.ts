import { z } from 'zod';
import type { RehearsalCloud } from '../../cloud';

const lineSchema = z.looseObject({
  level: z.literal('ERROR'),
  message: z.string(),
  component: z.enum(['preflight', 'evidence']),
});

/**
 * Reason of a failed deployment hook, from its log: a hook can report to CodeDeploy only that it failed, without a reason.
 *
 * @param since cloud time; older lines belong to earlier deployments
 */
export function hookFailure(
  cloud: Pick<RehearsalCloud, 'logGroups' | 'logLines'>,
  stackName: string,
  since: number,
): string | undefined {
  const reasons = cloud
    .logGroups()
    .filter((group) => group.includes(stackName) && /preflight|evidence/i.test(group))
    .flatMap((group) => cloud.logLines(group))
    .filter((line) => line.timestamp >= since)
    .sort((a, b) => a.timestamp - b.timestamp)
    .flatMap(({ message }) => {
      const parsed = lineSchema.safeParse(parse(message));
      return parsed.success ? [parsed.data.message] : [];
    });
  return reasons.at(-1);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
