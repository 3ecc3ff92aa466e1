/**
 * Custom resources `Custom::AgentLanesReleaseRecord` (what is being deployed) and `Custom::AgentLanesPromotedRecord`
 * (that it went all the way).
 */
import * as z from 'zod';
import { Env } from '../../lib/contract';
import { documentClient } from '../common/clients/dynamodb';
import { s3Client } from '../common/clients/s3';
import { systemClock } from '../common/clock';
import { answerCustomResource } from '../common/custom-resource';
import type { InvocationContext } from '../common/deadline';
import { createLogger } from '../common/logger';
import { once } from '../common/once';
import { readSettings, setting } from '../common/settings';
import { AuditTrail } from './audit-trail';
import { readBehaviorAsset } from './behavior-asset';
import { ControlTable } from './control-table';
import { handleRecord, type RecorderProps, recordId } from './recorder';
import { ReleaseArchive } from './release-archive';
import { RolloutLedger } from './rollout-ledger';

const settingsSchema = z.object({ [Env.AGENT]: setting.text, [Env.CONTROL_TABLE]: setting.text });

const clock = once(systemClock);

/** Settings are read within the handler: a function that is set up wrongly has to say so to CloudFormation. */
const recorder = once((): RecorderProps => {
  const settings = readSettings(settingsSchema);
  const agent = settings[Env.AGENT];
  const table = new ControlTable(documentClient(), settings[Env.CONTROL_TABLE]);
  const audit = new AuditTrail(table, agent);
  const s3 = s3Client();
  return {
    agent,
    archive: new ReleaseArchive({ agent, table, audit, clock: clock() }),
    ledger: new RolloutLedger({ table, audit, clock: clock() }),
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
