export { Front, type FrontProps, type HttpHandler } from './front';
export { type CredentialScope, credentialScope } from './identity';
