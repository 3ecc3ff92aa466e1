/** What the rehearsal and the process of an execution environment say to each other over the process's channel. */
export type ToEnvironment = Setup | Invocation;

/** First message: loads the handler. */
export interface Setup {
  readonly kind: 'setup';
  /** Folder of the function's code. */
  readonly codeDirectory: string;
  /** `file.export`, as in the function's `Handler`. */
  readonly handler: string;
  /** Line, followed by the request id, that ends an invocation's output on stdout and on stderr. */
  readonly endMark: string;
  readonly functionName: string;
  readonly functionVersion: string;
  readonly memoryMiB: number;
  readonly logGroup: string;
  readonly logStream: string;
}

export interface Invocation {
  readonly kind: 'invoke';
  readonly requestId: string;
  /** ARN as it was invoked, with the qualifier. */
  readonly functionArn: string;
  /** JSON text. */
  readonly event: string;
  /** Real milliseconds since 1970. */
  readonly deadline: number;
  readonly traceHeader: string;
}

export type FromEnvironment = Ready | SetupFailed | Done;

export interface Ready {
  readonly kind: 'ready';
}

export interface SetupFailed {
  readonly kind: 'setup_failed';
  /** JSON text of a {@link FunctionErrorPayload}. */
  readonly error: string;
}

export interface Done {
  readonly kind: 'done';
  readonly requestId: string;
  /** JSON text: the result, or a {@link FunctionErrorPayload}. */
  readonly payload: string;
  readonly failed: boolean;
  readonly maxMemoryMiB: number;
}

/** @see https://docs.aws.amazon.com/lambda/latest/dg/nodejs-exceptions.html */
export interface FunctionErrorPayload {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace?: readonly string[];
}
