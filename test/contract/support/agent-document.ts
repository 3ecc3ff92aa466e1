import Ajv, { type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { agentOpenApiDocument } from '../../../lib/contract/agent-openapi';
import { type Loose, referencesIn } from './document';

/** The document of the protocol of agents in containers, and what checks by it. */
export function documentOf() {
  const { version } = require('../../../package.json') as { readonly version: string };
  const document: Loose = agentOpenApiDocument(version);
  const ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: false, allErrors: true });
  addFormats(ajv);
  ajv.addSchema({ ...document, $id: 'agent' }, 'agent', undefined, false);
  for (const word of Object.keys(document)) {
    ajv.addKeyword(word);
  }
  const validators = new Map<string, ValidateFunction>();
  return {
    document,
    references: () => referencesIn(document),
    resolve: (reference: string): Loose =>
      reference
        .slice(2)
        .split('/')
        .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
        .reduce((node, part) => node?.[part], document),
    /** Checks values by the schema that lies at the path within the document. */
    validatorAt: (...path: readonly string[]): ValidateFunction => {
      const pointer = path
        .map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')))
        .join('/');
      const present = validators.get(pointer) ?? ajv.compile({ $ref: `agent#/${pointer}` });
      validators.set(pointer, present);
      return present;
    },
  };
}
