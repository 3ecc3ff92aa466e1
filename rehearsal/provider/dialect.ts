import type { IncomingMessage } from 'node:http';
import type { ScriptedRequest } from './request';
import type { ErrorStatus } from './rules';
import type { ScriptedOutcome } from './script';

export type ScriptedAnswer = Extract<ScriptedOutcome, { kind: 'answer' }>;

/** A valid request, or the first problem of an invalid one. */
export type ParsedRequest =
  | { readonly ok: true; readonly request: ScriptedRequest }
  | { readonly ok: false; readonly problem: string };

export interface DialectResponse {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** One provider's API, in the parts that the script supports. */
export interface Dialect {
  /** Name of the provider in rules. */
  readonly provider: ScriptedRequest['provider'];
  /** Method and path, for messages. */
  readonly route: string;
  /** @param path without the query */
  serves(method: string | undefined, path: string): boolean;
  /** Key of the request; empty without one, undefined if the API authenticates by signature. */
  keyOf(request: IncomingMessage): string | undefined;
  parseRequest(body: unknown, path: string): ParsedRequest;
  answer(answer: ScriptedAnswer, model: string, id: string): DialectResponse;
  error(status: ErrorStatus, message: string | undefined, id: string): DialectResponse;
}

/** The bearer token of the request; empty without one. */
export function bearerOf(request: IncomingMessage): string {
  return (/^bearer (.*)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '').trim();
}
