import type { IncomingMessage } from 'node:http';
import type { ScriptedRequest } from './request';
import type { ErrorStatus } from './rules';
import type { Outcome } from './script';

export type Answer = Extract<Outcome, { kind: 'answer' }>;

/** A request that was understood, or what is wrong with it. */
export type Understood =
  | { readonly ok: true; readonly request: ScriptedRequest }
  | { readonly ok: false; readonly problem: string };

export interface Reply {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** One provider's API, as far as the script answers it. */
export interface Dialect {
  /** As rules name it. */
  readonly provider: ScriptedRequest['provider'];
  /** Method and path, for messages. */
  readonly route: string;
  /** @param path without the query */
  serves(method: string | undefined, path: string): boolean;
  /** The key that came with the request. Undefined: this API knows its callers by their signatures. */
  keyOf(request: IncomingMessage): string | undefined;
  understand(body: unknown, path: string): Understood;
  answer(answer: Answer, model: string, id: string): Reply;
  error(status: ErrorStatus, message: string | undefined, id: string): Reply;
}

/** The key of `Authorization: Bearer`; empty if there is none. */
export function bearerOf(request: IncomingMessage): string {
  return (/^bearer (.*)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '').trim();
}
