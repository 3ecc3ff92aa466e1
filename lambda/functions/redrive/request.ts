import { type RedriveRequest, redriveRequestSchema } from './protocol';

/** The function was invoked with what is no request. */
export class InvalidRequestError extends Error {
  override readonly name = 'InvalidRequestError';
}

/** @throws InvalidRequestError naming each place, and what was expected there */
export function parseRequest(event: unknown): RedriveRequest {
  const parsed = redriveRequestSchema.safeParse(event);
  if (parsed.success) {
    return parsed.data;
  }
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'request'}: ${message}`);
  throw new InvalidRequestError(
    `not a request to redrive: ${problems.join('; ')}. Expected for instance {"action":"redrive","filter":{"code":"provider_error"}}`,
  );
}
