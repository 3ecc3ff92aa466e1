import { type BehaviorDocument, ControlKey, type ReleaseRecordProperties } from '../../../lib/contract';
import type { Clock } from '../../shared/clock';
import type { AuditTrail } from '../../shared/routing/audit-trail';
import type { ControlTable } from '../../shared/routing/control-table';
import { contentOf } from './release-content';

/** What a release's record says beside its keys. */
export interface ReleaseRecord {
  readonly release: string;
  readonly agent: string;
  /** SHA-256 of the behavior document's canonical JSON. */
  readonly contentDigest: string;
  /** Number of items that hold the compressed document. */
  readonly chunks: number;
  readonly manifest: BehaviorDocument['manifest'];
  readonly model: BehaviorDocument['model'];
  readonly limits: BehaviorDocument['limits'];
  readonly stateSchema: number;
  /** Worker version that first ran the release. */
  readonly workerVersion: string;
  readonly gitRevision?: string;
  readonly gitAuthor?: string;
  readonly gitTime?: string;
  /** Milliseconds since 1970. */
  readonly recordedAt: number;
}

export interface ArchiveDeps {
  readonly agent: string;
  readonly table: ControlTable;
  readonly audit: AuditTrail;
  readonly clock: Clock;
}

/** Keeps releases for good: each is written once and never overwritten. */
export class ReleaseArchive {
  readonly #deps: ArchiveDeps;

  constructor(deps: ArchiveDeps) {
    this.#deps = deps;
  }

  /**
   * Records the release. The content goes first and the record last: where there is a record, its content is complete.
   *
   * @param actor who, for the audit trail
   * @throws Error when the release is recorded with other content
   */
  async record(document: BehaviorDocument, properties: ReleaseRecordProperties, actor: string): Promise<void> {
    const { agent, audit, clock, table } = this.#deps;
    const { release, manifest, model, limits, stateSchema } = document;
    const { digest, chunks } = contentOf(document);
    const present = await table.get(ControlKey.release(release));
    if (present === undefined) {
      for (const [chunk, data] of chunks.entries()) {
        const item = { release, contentDigest: digest, chunk, data };
        if (!(await table.putUnlessOther(ControlKey.releaseContent(release, chunk), item, 'contentDigest'))) {
          throw otherContent(release, digest, 'content');
        }
      }
      const { GitAuthor: gitAuthor, GitRevision: gitRevision, GitTime: gitTime } = properties;
      const record: ReleaseRecord = {
        release,
        agent,
        contentDigest: digest,
        chunks: chunks.length,
        manifest,
        model,
        limits,
        stateSchema,
        workerVersion: properties.WorkerVersion,
        gitRevision,
        gitAuthor,
        gitTime,
        recordedAt: clock.now(),
      };
      await table.putOnce(ControlKey.release(release), { ...record });
    }
    const kept = present ?? (await table.get(ControlKey.release(release)));
    if (kept?.contentDigest !== digest) {
      throw otherContent(release, digest, 'record');
    }
    await audit.append({
      at: Number(kept.recordedAt),
      id: release,
      action: 'release_recorded',
      release,
      actor,
      reason: `release ${release} recorded with content ${digest}`,
      details: { contentDigest: digest, chunks: chunks.length },
    });
  }
}

function otherContent(release: string, digest: string, what: string): Error {
  return new Error(
    `release ${release} is already recorded with other content (this one has digest ${digest}; its ${what} in the ` +
      'control table differs). A release is never overwritten: change the behavior, so that it gets an id of its own',
  );
}
