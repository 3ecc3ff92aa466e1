import { z } from 'zod';
import type { RehearsalCloud } from '../../cloud';

const lineSchema = z.looseObject({
  level: z.literal('ERROR'),
  message: z.string(),
  component: z.enum(['preflight', 'evidence']),
});

/**
 * What a hook of the deployment found. CodeDeploy is told no more than that it failed (there is no field for a reason), so
 * the reason is where a person would look for it: in the hook's log.
 *
 * @param since cloud time: older lines are of earlier deployments
 */
export function hookFailure(
  cloud: Pick<RehearsalCloud, 'logGroups' | 'logLines'>,
  stackName: string,
  since: number,
): string | undefined {
  const findings = cloud
    .logGroups()
    .filter((group) => group.includes(stackName) && /preflight|evidence/i.test(group))
    .flatMap((group) => cloud.logLines(group))
    .filter((line) => line.timestamp >= since)
    .sort((a, b) => a.timestamp - b.timestamp)
    .flatMap(({ message }) => {
      const parsed = lineSchema.safeParse(parse(message));
      return parsed.success ? [parsed.data.message] : [];
    });
  return findings.at(-1);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
