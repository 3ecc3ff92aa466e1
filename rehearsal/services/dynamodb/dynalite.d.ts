/** The parts of dynalite that run without its HTTP server; it ships no types of its own. */
declare module 'dynalite/db' {
  interface Store {
    readonly tableDb: { awsAccountId: string; awsRegion: string };
    readonly db: { close(): Promise<void> };
  }
  export function create(options: { createTableMs: number; deleteTableMs: number; updateTableMs: number }): Store;
}

declare module 'dynalite/validations' {
  /** Keeps what the operation knows, converted; drops the rest. */
  export function checkTypes(data: object, types: Readonly<Record<string, unknown>>): Record<string, unknown>;
  export function checkValidations(data: object, types: object, custom: unknown, store: object): void;
}

declare module 'dynalite/validations/*' {
  export const types: Readonly<Record<string, unknown>>;
  export const custom: unknown;
}

declare module 'dynalite/actions/*' {
  export default function action(
    store: object,
    data: object,
    callback: (error: unknown, output: Record<string, unknown> | undefined) => void,
  ): void;
}
