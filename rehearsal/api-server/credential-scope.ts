import type { IncomingHttpHeaders } from 'node:http';

/** Who signed a request, and for which service, as its `Authorization` header says. */
export interface CredentialScope {
  readonly accessKeyId: string;
  readonly region: string;
  /** Signing name of the service: `sqs`, `monitoring`, `execute-api`, … */
  readonly signingName: string;
}

const CREDENTIAL = /\bCredential=([^/,\s]+)\/\d{8}\/([^/,\s]+)\/([^/,\s]+)\/aws4_request\b/;

/**
 * Reads the credential scope of a Signature Version 4 header. The signature itself is not verified: the rehearsal
 * recognizes callers by their access key, which it made up itself.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html
 */
export function credentialScope(headers: IncomingHttpHeaders): CredentialScope | undefined {
  const match = CREDENTIAL.exec(headers.authorization ?? '');
  const [, accessKeyId, region, signingName] = match ?? [];
  if (accessKeyId === undefined || region === undefined || signingName === undefined) return undefined;
  return { accessKeyId, region, signingName };
}
