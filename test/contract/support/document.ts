import Ajv, { type ErrorObject, type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { openApiDocument } from '../../../lib/contract/openapi';

// biome-ignore lint/suspicious/noExplicitAny: a document of any shape is walked through
export type Loose = any;

const packageVersion = (require('../../../package.json') as { version: string }).version;

export const DOCUMENT: Loose = openApiDocument(packageVersion);

const ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: false, allErrors: true });
addFormats(ajv);
ajv.addSchema({ ...DOCUMENT, $id: 'document' }, 'document', undefined, false);
// Words of OpenAPI beside the schemas.
for (const word of Object.keys(DOCUMENT)) {
  ajv.addKeyword(word);
}

/** Follows a `#/…` reference. */
export function resolve(reference: string): Loose {
  return reference
    .slice(2)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((node, part) => node?.[part], DOCUMENT);
}

const validators = new Map<string, ValidateFunction>();

/** Checks values by the schema that lies at the path within the document. */
export function validatorAt(...path: readonly string[]): ValidateFunction {
  const pointer = path.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/');
  const present = validators.get(pointer) ?? ajv.compile({ $ref: `document#/${pointer}` });
  validators.set(pointer, present);
  return present;
}

/** Every `$ref` of the document. */
export function references(): string[] {
  return referencesIn(DOCUMENT);
}

/** An optional member of the document may be undefined. */
export function referencesIn(node: Loose): string[] {
  return typeof node !== 'object' || node === null
    ? []
    : Object.entries(node).flatMap(([key, value]) => (key === '$ref' ? [String(value)] : referencesIn(value)));
}

export interface Answer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly isBase64Encoded?: boolean;
}

/** What of the answer the document does not say; empty if it says all of it. */
export function undocumented(path: string, method: string, answer: Answer): readonly string[] {
  const status = String(answer.statusCode);
  const response = DOCUMENT.paths[path][method].responses[status];
  if (response === undefined) {
    return [`status ${status}: ${answer.body}`];
  }
  const body = JSON.parse(
    answer.isBase64Encoded ? Buffer.from(answer.body, 'base64').toString() : answer.body,
  ) as unknown;
  const place = ['paths', path, method, 'responses', status];
  const isValid = validatorAt(...place, 'content', 'application/json', 'schema');
  const headers: string[] = Object.keys(response.headers ?? {}).flatMap((name) => {
    const text = answer.headers[name.toLowerCase()];
    const check = validatorAt(...place, 'headers', name, 'schema');
    const isNumber = response.headers[name].schema.type === 'integer';
    return check(isNumber ? Number(text) : text) ? [] : [`header ${name}: ${text}`];
  });
  return [
    ...(answer.headers['content-type'] === 'application/json' ? [] : ['content-type']),
    ...headers,
    ...(isValid(body) ? [] : (isValid.errors ?? []).map((error) => `${status} ${JSON.stringify(error)}`)),
  ];
}

/** JSON paths of the wrong fields, down to the first level. What is wrong with one alternative alone names no field. */
export function fieldsIn(errors: ValidateFunction['errors']): readonly string[] {
  return (errors ?? []).filter(({ schemaPath }) => !schemaPath.includes('/anyOf/')).map(fieldOf);
}

function fieldOf({ instancePath, keyword, params }: ErrorObject): string {
  const [, first] = instancePath.split('/');
  const name =
    first ??
    (keyword === 'required'
      ? (params as { missingProperty: string }).missingProperty
      : (params as { additionalProperty?: string }).additionalProperty);
  return name === undefined ? '$' : `$.${name}`;
}
