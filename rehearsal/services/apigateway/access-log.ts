/** Values of `$context` variables for one request, without the prefix; what is absent is logged as `-`. */
export type LogContext = Readonly<Record<string, string | number | undefined>>;

/**
 * One line of the access log.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
 */
export function accessLogLine(format: string, context: LogContext): string {
  return format.replace(/\$context\.([A-Za-z0-9_.]+[A-Za-z0-9_])/g, (_all, name: string) => {
    const value = context[name];
    // The line is often JSON: what a caller sent must not break out of its quotes.
    return value === undefined ? '-' : JSON.stringify(String(value)).slice(1, -1);
  });
}

/** Log group of a destination ARN (`arn:…:log-group:NAME` with or without `:*`). */
export function logGroupOf(arn: string): string | undefined {
  return /:log-group:([^:]+)(?::\*)?$/.exec(arn)?.[1];
}
