/**
 * The worker, bundled once when the library is built: what an agent's asset carries beside the agent's own bundle. The
 * module of each model provider is a file of its own that the chain loads at its first call, so that an asset carries the
 * providers of its release and no others; each of those modules takes what it shares with the worker from here.
 */
export { Env } from '../../../lib/contract';
export * as runtime from '../../runtime';
export * from '../../runtime/model/provider';
export { clientDefaults } from '../../shared/aws/clients/defaults';
export { defaultProvider } from '../../shared/aws/container-credentials';
export { createHandler } from '../../worker';
export { runContainer } from '../container';
export { runSidecar } from '../container/sidecar';
