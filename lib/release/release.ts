import { join } from 'node:path';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as s3assets from 'aws-cdk-lib/aws-s3-assets';
import { Construct, type IConstruct } from 'constructs';
import { acknowledgeWildcard, stageFile } from '../common';
import { RELEASE_COMPONENTS, sha256 } from '../contract';
import type { Behavior } from './behavior';
import { draftRelease } from './manifest';
import type { ModelSpec } from './model-spec';
import { READ_DOCUMENT_ACTIONS } from './perms';
import { type Provenance, provenanceOf } from './provenance';
import type { WorkerDescription } from './worker-description';

/** Extension, and so end of the object key, of behavior documents. */
const DOCUMENT_EXTENSION = '.behavior';

/** The release in the template, as users of an agent see it. */
export interface IRelease extends IConstruct {
  /** `r-` and 12 hexadecimal digits. */
  readonly releaseId: string;
  /** Digest of each component: prompts, tools, model, limits, state, code, worker. */
  readonly componentDigests: { [component: string]: string };
}

/** Construct props of {@link Release}. */
export interface ReleaseProps {
  /** Prompts, tools, model, limits. */
  readonly behavior: Behavior;
  /** What runs the behavior. */
  readonly worker: WorkerDescription;
}

/**
 * One release: everything that decides how the agent behaves, pinned under one id. The id is derived from content
 * alone: paths, tags, names, and whatever else is in the stack do not change it. A new version of the bundler or of a
 * package that the agent imports is other code, and so another release; so is a new version of this library, whose digest
 * is a component by itself.
 */
export class Release extends Construct implements IRelease {
  /** `r-` and 12 hexadecimal digits. */
  readonly releaseId: string;
  /** Digest of each component: prompts, tools, model, limits, state, code, worker, library. */
  readonly componentDigests: { [component: string]: string };
  /** Bucket of the behavior document. */
  readonly behaviorBucket: string;
  /** Key of the behavior document; named by its content. */
  readonly behaviorKey: string;
  /** The model and its fallbacks, in order. */
  readonly models: ModelSpec[];
  /** Secrets (by their names) that the models need. */
  readonly modelSecretNames: string[];
  private readonly asset: s3assets.Asset;
  private readonly sources: readonly string[];

  constructor(scope: Construct, id: string, props: ReleaseProps) {
    super(scope, id);
    const draft = draftRelease(this, props.behavior, props.worker);
    this.releaseId = draft.id;
    this.componentDigests = Object.fromEntries(
      RELEASE_COMPONENTS.map((component) => [component, draft.manifest.components[component]]),
    );
    const digest = sha256(draft.text);
    const name = `document${DOCUMENT_EXTENSION}`;
    this.asset = new s3assets.Asset(this, 'Document', {
      path: join(stageFile(this, digest, name, draft.text), name),
      assetHash: digest,
    });
    this.behaviorBucket = this.asset.s3BucketName;
    this.behaviorKey = this.asset.s3ObjectKey;
    this.models = props.behavior._chain;
    const names = this.models.flatMap(({ secretName }) => (secretName === undefined ? [] : [secretName]));
    this.modelSecretNames = [...new Set(names)];
    this.sources = [props.behavior.directory, ...props.worker.sources];
  }

  /**
   * Lets a function read behavior documents, of this release and of others. All versions of a worker share one role;
   * during a rollout the stable version still loads the document of the previous release, which the template cannot name.
   * The end of their keys distinguishes documents from all other assets (templates, code).
   */
  grantRead(grantee: iam.IGrantable): iam.Grant {
    const documents = this.asset.bucket.arnForObjects(`*${DOCUMENT_EXTENSION}`);
    const grant = iam.Grant.addToPrincipal({ grantee, actions: READ_DOCUMENT_ACTIONS, resourceArns: [documents] });
    if (Construct.isConstruct(grantee.grantPrincipal)) {
      acknowledgeWildcard(
        grantee.grantPrincipal,
        documents,
        'Versions of a function share one role, and during a rollout the previous version still reads the document of its own release, which the template cannot name; the extension distinguishes behavior documents from all other assets',
      );
    }
    return grant;
  }

  /** Last commit that changed the behavior or the worker's code; empty when unknown or not committed. @internal */
  _provenance(): Provenance {
    return provenanceOf(this.sources);
  }
}
