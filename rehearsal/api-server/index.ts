export { ApiServer, type ApiServerProps, type HttpHandler } from './api-server';
export { type CredentialScope, credentialScope } from './identity';
