export { ApiServer, type ApiServerDeps, type HttpHandler } from './api-server';
export { type CredentialScope, credentialScope } from './credential-scope';
