/**
 * A schema with the Standard Schema interface (https://standardschema.dev), as far as the runtime uses it: schemas of zod 4,
 * also of another copy than the library's, and of other validators.
 */
export interface Schema<T> {
  readonly '~standard': {
    readonly validate: (value: unknown) => ValidationResult<T> | Promise<ValidationResult<T>>;
    readonly types?: { readonly input: unknown; readonly output: T } | undefined;
  };
}

export type ValidationResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

export type Validated<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly message: string };

/**
 * Validates a value.
 *
 * @param what name of the value; paths in the message start with it: `input.orderId: expected string`
 */
export async function validate<T>(schema: Schema<T>, value: unknown, what: string): Promise<Validated<T>> {
  const result = await schema['~standard'].validate(value);
  if (result.issues === undefined) {
    return { ok: true, value: result.value };
  }
  return { ok: false, message: result.issues.map((issue) => describeIssue(issue, what)).join('; ') };
}

function describeIssue({ path, message }: SchemaIssue, what: string): string {
  const steps = (path ?? []).map((step) => (typeof step === 'object' ? step.key : step));
  const place = steps.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('');
  return `${what}${place}: ${message}`;
}
