import type { SQSClient } from '@aws-sdk/client-sqs';
import { HttpRequest } from '@smithy/core/protocols';
import { SignatureV4 } from '@smithy/signature-v4';
import { startRealTimer } from '../../shared/clock';
import { messageOf } from '../../shared/errors';
import type { Log } from '../../shared/telemetry/logger';
import { type SegmentDocument, segmentText } from '../../shared/telemetry/tracing';

/** Documents of one call, and how long the first of them waits for others. Real milliseconds. */
const BATCH = 25;
const BATCH_MS = 500;

/** Documents that wait at most: beyond, new ones are dropped. */
const MAX_QUEUE = 500;

/** Real milliseconds for one call. */
const TIMEOUT_MS = 3_000;

/** One failure of this number is logged: while X-Ray is unavailable each batch fails. */
const TELL_EVERY = 100;

export interface TraceSegmentSenderDeps {
  /** Region, credentials and HTTP handler are those of this client. */
  readonly client: SQSClient;
  readonly logger: Log;
  readonly environment?: NodeJS.ProcessEnv;
}

/**
 * Sends segment documents to X-Ray itself, for beside a container there is no daemon
 * (https://docs.aws.amazon.com/xray/latest/api/API_PutTraceSegments.html). Best effort: a document that cannot be sent is
 * lost. Signed here and not by the SDK's client for X-Ray, which would be in every worker's bundle for this one call.
 */
export class TraceSegmentSender {
  readonly #deps: TraceSegmentSenderDeps;
  #waiting: SegmentDocument[] = [];
  #sending: Promise<void> | undefined;
  #cancel = () => {};
  #failures = 0;

  constructor(deps: TraceSegmentSenderDeps) {
    this.#deps = deps;
  }

  /** Takes a document; neither waits nor throws. */
  readonly send = (document: SegmentDocument): void => {
    if (this.#waiting.length >= MAX_QUEUE) {
      return;
    }
    this.#waiting.push(document);
    if (this.#waiting.length === 1) {
      this.#cancel = startRealTimer(BATCH_MS, () => void this.flush());
    } else if (this.#waiting.length >= BATCH) {
      void this.flush();
    }
  };

  /** Sends what waits. Does not reject. */
  async flush(): Promise<void> {
    this.#cancel();
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
    await this.#sending;
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, BATCH);
      this.#waiting = this.#waiting.slice(BATCH);
      try {
        await this.#put(batch.map(segmentText));
      } catch (error) {
        if (this.#failures % TELL_EVERY === 0) {
          this.#deps.logger.warn('trace segments could not be sent and were dropped', {
            component: 'traces',
            outcome: 'error',
            documents: batch.length,
            reason: messageOf(error),
          });
        }
        this.#failures += 1;
      }
    }
  }

  async #put(documents: readonly string[]): Promise<void> {
    const { config } = this.#deps.client;
    const region = await config.region();
    const { protocol, hostname, port, pathname } = endpointOf(region, this.#deps.environment);
    const signer = new SignatureV4({ service: 'xray', region, credentials: config.credentials, sha256: config.sha256 });
    const request = await signer.sign(
      new HttpRequest({
        method: 'POST',
        protocol,
        hostname,
        ...(port === '' ? {} : { port: Number(port) }),
        path: `${pathname.replace(/\/$/, '')}/TraceSegments`,
        headers: { host: port === '' ? hostname : `${hostname}:${port}`, 'content-type': 'application/json' },
        body: JSON.stringify({ TraceSegmentDocuments: documents }),
      }),
    );
    const { response } = await config.requestHandler.handle(HttpRequest.clone(request), {
      requestTimeout: TIMEOUT_MS,
    });
    response.body?.resume?.();
    if (response.statusCode >= 300) {
      throw new Error(`X-Ray answered with status ${response.statusCode}`);
    }
  }
}

/** The endpoint that the SDK would find, except FIPS and dual-stack endpoints. */
function endpointOf(region: string, environment: NodeJS.ProcessEnv = process.env): URL {
  const { AWS_ENDPOINT_URL_XRAY, AWS_ENDPOINT_URL } = environment;
  const suffix = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  return new URL(AWS_ENDPOINT_URL_XRAY || AWS_ENDPOINT_URL || `https://xray.${region}.${suffix}`);
}
