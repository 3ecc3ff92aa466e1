import { join } from 'node:path';
import ts from 'typescript';
import type { Installation } from './installation';

const { ModuleKind, ModuleResolutionKind } = ts;

/** What users have in their tsconfig.json, strictest first. None of them sets `esModuleInterop` or `skipLibCheck`. */
export const SETTINGS: readonly (readonly [string, ts.CompilerOptions])[] = [
  ['node16', { module: ModuleKind.Node16, moduleResolution: ModuleResolutionKind.Node16 }],
  ['nodenext', { module: ModuleKind.NodeNext, moduleResolution: ModuleResolutionKind.NodeNext }],
  ['bundler', { module: ModuleKind.ESNext, moduleResolution: ModuleResolutionKind.Bundler }],
  ['node10', { module: ModuleKind.CommonJS, moduleResolution: ModuleResolutionKind.Node10 }],
];

/** Files of the CDK are the same in every program: they are parsed once. */
const parsed = new Map<string, ts.SourceFile | undefined>();

export interface Compilation {
  /** What the compiler says of the app and of the library's declarations: `skipLibCheck` is off. The CDK's own are left out. */
  readonly findings: readonly string[];
  /** All files that the app's types come from. */
  readonly files: readonly string[];
}

/** Compiles TypeScript of the app as a user does. */
export function compile(app: Installation, file: string, settings: ts.CompilerOptions): Compilation {
  const options: ts.CompilerOptions = {
    ...settings,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts'],
    types: ['node'],
    typeRoots: [join(app.directory, 'node_modules/@types')],
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    esModuleInterop: false,
    ignoreDeprecations: '6.0',
  };
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (name, version, ...rest) => {
    const format = typeof version === 'object' ? version.impliedNodeFormat : undefined;
    const key = `${name} ${format}`;
    if (!/\/(?:aws-cdk-lib|typescript|@types)\//.test(name)) {
      return read(name, version, ...rest);
    }
    if (!parsed.has(key)) {
      parsed.set(key, read(name, version, ...rest));
    }
    return parsed.get(key);
  };
  host.getCurrentDirectory = () => app.directory;
  const program = ts.createProgram([join(app.directory, file)], options, host);
  const own = program.getSourceFiles().filter(({ fileName }) => /\/cdk-agent-lanes@|\/app\.ts$/.test(fileName));
  const findings = [
    ...program.getOptionsDiagnostics(),
    ...own.flatMap((each) => [...program.getSyntacticDiagnostics(each), ...program.getSemanticDiagnostics(each)]),
  ].map(({ file: at, messageText }) => `${at?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`);
  return { findings, files: program.getSourceFiles().map(({ fileName }) => fileName) };
}
