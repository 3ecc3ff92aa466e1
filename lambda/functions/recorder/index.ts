/**
 * Custom resources `Custom::AgentLanesReleaseRecord` (what is being deployed) and `Custom::AgentLanesPromotedRecord`
 * (that it went all the way).
 */
import * as z from 'zod';
import { Env } from '../../../lib/contract';
import { documentClient } from '../../shared/aws/clients/dynamodb';
import { s3Client } from '../../shared/aws/clients/s3';
import { answerCustomResource } from '../../shared/aws/custom-resource';
import type { InvocationContext } from '../../shared/aws/invocation-deadline';
import { systemClock } from '../../shared/clock';
import { lazy } from '../../shared/lazy';
import { AuditTrail } from '../../shared/routing/audit-trail';
import { ControlTable } from '../../shared/routing/control-table';
import { Rollouts } from '../../shared/routing/rollouts';
import { RoutingRepository } from '../../shared/routing/routing-repository';
import { readSettings, setting } from '../../shared/settings';
import { createLogger } from '../../shared/telemetry/logger';
import { readBehaviorAsset } from './behavior-asset';
import { handleRecord, type RecorderDeps, recordId } from './recorder';
import { ReleaseArchive } from './release-archive';

const settingsSchema = z.object({ [Env.AGENT]: setting.text, [Env.CONTROL_TABLE]: setting.text });

const clock = lazy(systemClock);

/** Settings are read within the handler: a function that is set up wrongly has to say so to CloudFormation. */
const recorder = lazy((): RecorderDeps => {
  const settings = readSettings(settingsSchema);
  const agent = settings[Env.AGENT];
  const client = documentClient();
  const controlTable = settings[Env.CONTROL_TABLE];
  const table = new ControlTable(client, controlTable);
  const audit = new AuditTrail(table, agent);
  const s3 = s3Client();
  return {
    agent,
    archive: new ReleaseArchive({ agent, table, audit, clock: clock() }),
    rollouts: new Rollouts({ routing: new RoutingRepository(client, controlTable), audit, clock: clock() }),
    readAsset: (bucket, key) => readBehaviorAsset(s3, bucket, key),
  };
});

export async function handler(event: unknown, context: InvocationContext): Promise<void> {
  const agent = process.env[Env.AGENT] ?? 'unknown';
  await answerCustomResource(event, context, {
    physicalId: (request) => recordId(request, agent),
    handle: async (request) => await handleRecord(request, recorder()),
    logger: createLogger({ component: 'recorder', agent }, clock()),
    clock: clock(),
  });
}
