/** Rotates one secret, in the four steps that Secrets Manager asks for, and watches it once an hour. */
import { Env, type RotationSettings } from '../../../lib/contract';
import { secretsManagerClient } from '../../shared/aws/clients/secrets-manager';
import { systemClock } from '../../shared/clock';
import { lazy } from '../../shared/lazy';
import { readSettings } from '../../shared/settings';
import { createLogger } from '../../shared/telemetry/logger';
import { rotationEventSchema } from './event';
import { runHourlyCheck } from './hourly-check';
import { KeyPool } from './key-pool';
import type { KeySource } from './key-source';
import { CUSTOM_KEY_SOURCE, RotationError } from './key-source';
import { OpenAiAdmin } from './openai-admin';
import { type RotationDeps, rotate } from './rotate';
import { RotationMetrics } from './rotation-metrics';
import { CURRENT, SecretVersions } from './secret-versions';
import { ServiceAccounts } from './service-accounts';
import { rotationSettingsSchema } from './settings';

const dependencies = lazy((): RotationDeps & { readonly secret: string } => {
  const settings = readSettings(rotationSettingsSchema);
  const agent = settings[Env.AGENT];
  const name = settings[Env.ROTATED_SECRET_NAME];
  const clock = systemClock();
  const log = createLogger({ component: 'rotation', agent }, clock).createChild({ persistentKeys: { secret: name } });
  const deps = {
    versions: new SecretVersions(secretsManagerClient()),
    metrics: new RotationMetrics(agent, name, clock),
    clock,
    log,
  };
  return { ...deps, secret: settings[Env.ROTATED_SECRET], source: sourceOf(settings[Env.ROTATION], deps) };
});

export async function handler(input: unknown): Promise<void> {
  const props = dependencies();
  const { secret, metrics, log } = props;
  const event = rotationEventSchema.safeParse(input);
  if (!event.success) {
    throw new RotationError(
      'unknown event: expected a step of a rotation, with SecretId, ClientRequestToken and Step, as Secrets Manager sends it; do not invoke this function yourself, use "aws secretsmanager rotate-secret"',
    );
  }
  if ('watch' in event.data) {
    await runHourlyCheck(secret, props);
    return;
  }
  const { Step: step, ClientRequestToken: version } = event.data;
  try {
    await rotate(event.data, props);
  } catch (error) {
    metrics.failed();
    log.error('rotation step failed', {
      step,
      version,
      reason: error instanceof Error ? error.message : String(error),
    });
    throw error;
  }
}

function sourceOf(
  settings: RotationSettings,
  { versions, metrics, clock, log }: Omit<RotationDeps, 'source'>,
): KeySource {
  switch (settings.strategy) {
    case 'openai_service_account': {
      const { adminSecret, baseUrl, graceSeconds, keyExpirySeconds, project } = settings;
      const adminKey = async () => {
        const key = (await versions.text(adminSecret, CURRENT))?.trim();
        if (!key) {
          throw new RotationError(`the admin secret ${adminSecret} is empty: put an OpenAI admin key into it`);
        }
        return key;
      };
      const admin = new OpenAiAdmin(adminKey, project, baseUrl);
      return new ServiceAccounts({
        admin,
        versions,
        baseUrl,
        keyExpirySeconds,
        graceMs: graceSeconds * 1_000,
        clock,
        log,
      });
    }
    case 'key_pool': {
      const { poolSecret, check } = settings;
      return new KeyPool({ versions, poolSecret, check, metrics, clock, log });
    }
    case 'custom':
      return CUSTOM_KEY_SOURCE;
  }
}
