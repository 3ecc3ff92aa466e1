import { buildBundles, buildWorker } from '../scripts/build-bundles';

/** Tests run against the bundles of the present source, never against those of an earlier build. */
export default async function globalSetup(): Promise<void> {
  await Promise.all([buildBundles(), buildWorker()]);
}
