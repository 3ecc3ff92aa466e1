import { createRequire } from 'node:module';

/** What the CDK uses of its validator of templates. */
interface Validator {
  readonly version: () => string;
  readonly TemplateContent: new (text: string, name: string) => object;
  readonly CompositeEngine: new (config: object) => Engine;
}

interface Engine {
  validateTemplate(template: object, config: object): unknown;
  free(): void;
}

/** By their configuration. */
const engines = new Map<string, Engine>();

let loaded: Validator | undefined;

/**
 * The validator with which every synthesis of an app ends. It is a WebAssembly program that takes a second to load, and its
 * engine a tenth of one to start; it keeps nothing of one template for the next. So there is one of each in a process.
 */
export function templateValidator(): Validator {
  loaded ??= load();
  return loaded;
}

function load(): Validator {
  const cdk = createRequire(require.resolve('aws-cdk-lib'));
  const validator = cdk('@aws/cloudformation-validate') as Validator;
  class SharedEngine implements Engine {
    readonly #engine: Engine;

    constructor(config: object) {
      const key = JSON.stringify(config);
      this.#engine = engines.get(key) ?? new validator.CompositeEngine(structuredClone(config));
      engines.set(key, this.#engine);
    }

    validateTemplate(template: object, config: object): unknown {
      // It takes no objects of another realm, as those of a test file are.
      return this.#engine.validateTemplate(template, structuredClone(config));
    }

    free(): void {}
  }
  return { version: validator.version, TemplateContent: validator.TemplateContent, CompositeEngine: SharedEngine };
}
