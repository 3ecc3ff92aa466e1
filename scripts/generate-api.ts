/** Writes API.md from the sources of the public entry points, by their syntax alone: no build, no type checker. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';

const ROOT = join(__dirname, '..');

const PAGE = 'API.md';

const ENTRIES = [
  { specifier: 'cdk-agent-lanes', file: 'lib/index.ts', about: 'The constructs.' },
  { specifier: 'cdk-agent-lanes/runtime', file: 'lambda/runtime/index.ts', about: "What an agent's module imports." },
] as const;

type Declaration =
  | ts.ClassDeclaration
  | ts.InterfaceDeclaration
  | ts.EnumDeclaration
  | ts.FunctionDeclaration
  | ts.TypeAliasDeclaration
  | ts.VariableStatement;

const sources = new Map<string, ts.SourceFile>();

function sourceOf(file: string): ts.SourceFile {
  const known = sources.get(file);
  if (known !== undefined) {
    return known;
  }
  const source = ts.createSourceFile(file, readFileSync(join(ROOT, file), 'utf8'), ts.ScriptTarget.ES2023, true);
  sources.set(file, source);
  return source;
}

/** The file that a relative specifier means; undefined for a package. */
function resolveModule(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) {
    return undefined;
  }
  const base = join(dirname(from), specifier);
  const found = [`${base}.ts`, `${base}/index.ts`].find((file) => existsSync(join(ROOT, file)));
  if (found === undefined) {
    throw new Error(`${from}: cannot resolve '${specifier}'`);
  }
  return found;
}

function isExported(node: ts.Node): boolean {
  return (
    ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
  );
}

function declaredNames(node: ts.Statement): string[] {
  if (ts.isVariableStatement(node)) {
    return node.declarationList.declarations.map(({ name }) => name.getText());
  }
  if (
    ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isEnumDeclaration(node) ||
    ts.isFunctionDeclaration(node) ||
    ts.isTypeAliasDeclaration(node)
  ) {
    return node.name === undefined ? [] : [node.name.text];
  }
  return [];
}

function moduleOf(node: ts.ExportDeclaration | ts.ImportDeclaration, file: string): string | undefined {
  const { moduleSpecifier } = node;
  return moduleSpecifier !== undefined && ts.isStringLiteral(moduleSpecifier)
    ? resolveModule(file, moduleSpecifier.text)
    : undefined;
}

/** The declaration that a file means by a name, itself or by import. */
function lookUp(file: string, name: string): Declaration | undefined {
  const { statements } = sourceOf(file);
  const declared = statements.find((node) => declaredNames(node).includes(name));
  if (declared !== undefined) {
    return declared as Declaration;
  }
  for (const node of statements) {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      const target = moduleOf(node, file);
      const named = ts.isImportDeclaration(node) ? node.importClause?.namedBindings : node.exportClause;
      if (target !== undefined && named !== undefined && (ts.isNamedImports(named) || ts.isNamedExports(named))) {
        for (const { name: local, propertyName } of named.elements) {
          if (local.text === name) {
            return lookUp(target, (propertyName ?? local).text);
          }
        }
      }
    }
  }
  return statements
    .filter(ts.isExportDeclaration)
    .filter(({ exportClause }) => exportClause === undefined)
    .flatMap((node) => moduleOf(node, file) ?? [])
    .map((target) => lookUp(target, name))
    .find((found) => found !== undefined && isExported(found));
}

/** Names that an entry point exports. */
function exportedNames(file: string): string[] {
  return sourceOf(file).statements.flatMap((node) => {
    if (ts.isExportDeclaration(node)) {
      if (node.exportClause !== undefined && ts.isNamedExports(node.exportClause)) {
        return node.exportClause.elements.map(({ name }) => name.text);
      }
      const target = moduleOf(node, file);
      return target === undefined ? [] : exportedNames(target);
    }
    return isExported(node) ? declaredNames(node) : [];
  });
}

/** A comment as one paragraph: what in it is a link becomes a name. */
function flat(comment: string | ts.NodeArray<ts.JSDocComment> | undefined): string {
  return (ts.getTextOfJSDocComment(comment) ?? '')
    .replaceAll(/\{@link ([^}|]+?)(\s*\|[^}]*)?\}/g, '`$1`')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

interface Docs {
  readonly text: string;
  readonly isInternal: boolean;
}

function sentence(label: string, text: string): string {
  const clean = text.replace(/^-\s*/, '').trim();
  return clean === ''
    ? ''
    : ` ${label}: ${/^[\w.]+\([^ ]*\)$|^[\d.]+$|^[A-Z]\w+\.[A-Z_]+$/.test(clean) ? `\`${clean}\`` : clean}.`;
}

function docsOf(node: ts.Node): Docs {
  const comments = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc);
  const comment = comments.at(-1);
  const tags = ts.getJSDocTags(node);
  const tagged = (name: string) => tags.filter(({ tagName }) => tagName.text === name).map((tag) => flat(tag.comment));
  const params = tags
    .filter(ts.isJSDocParameterTag)
    .map((tag) => ` \`${tag.name.getText()}\`: ${flat(tag.comment).replace(/^-\s*/, '')}.`);
  const text = [
    flat(comment?.comment),
    ...params,
    ...tagged('returns').map((returned) => sentence('Returns', returned)),
    ...tagged('default').map((value) => sentence('Default', value)),
    ...tagged('throws').map((when) => sentence('Throws', when)),
  ].join('');
  return { text: text.replaceAll('..', '.').trim(), isInternal: tagged('internal').length > 0 };
}

function code(text: string): string {
  return `\`${text
    .replaceAll(/\breadonly /g, '')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/\( | \)/g, (edge) => edge.trim())
    .replaceAll(', )', ')')}\``;
}

function parameters(node: ts.SignatureDeclarationBase): string {
  return node.parameters
    .map((parameter) => {
      const optional = parameter.questionToken !== undefined || parameter.initializer !== undefined ? '?' : '';
      const name = ts.isIdentifier(parameter.name) ? parameter.name.text : 'props';
      return `${parameter.dotDotDotToken === undefined ? '' : '...'}${name}${optional}: ${parameter.type?.getText() ?? 'unknown'}`;
    })
    .join(', ');
}

function signature(node: ts.SignatureDeclarationBase, name: string): string {
  const generics =
    node.typeParameters === undefined ? '' : `<${node.typeParameters.map((of) => of.getText()).join(', ')}>`;
  return `${name}${generics}(${parameters(node)})${node.type === undefined ? '' : `: ${node.type.getText()}`}`;
}

/** @param bases the same member of classes that the owner extends: their words hold where it has none */
function line(shown: string, node: ts.Node, bases: readonly ts.Node[] = []): string {
  const { text, isInternal } = docsOf(node);
  const said = [text, ...bases.map((base) => docsOf(base).text)].find((candidate) => candidate !== '');
  return isInternal ? '' : `- ${code(shown)}${said === undefined ? '' : `: ${said}`}\n`;
}

function isHidden(node: ts.ClassElement | ts.TypeElement): boolean {
  const modifiers = ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : [];
  const name = node.name?.getText() ?? '';
  return (
    name.startsWith('_') ||
    name.startsWith('#') ||
    modifiers.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword || kind === ts.SyntaxKind.ProtectedKeyword)
  );
}

function isStatic(node: ts.ClassElement): boolean {
  return (
    ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.StaticKeyword)
  );
}

/** One line for a member; nothing for one that is not public. */
function memberLine(owner: string, node: ts.ClassElement | ts.TypeElement, bases: readonly ts.Node[] = []): string {
  if (isHidden(node)) {
    return '';
  }
  const name = `${ts.isClassElement(node) && isStatic(node) ? `${owner}.` : ''}${node.name?.getText() ?? ''}`;
  if (ts.isMethodDeclaration(node) || ts.isMethodSignature(node)) {
    return line(signature(node, name), node, bases);
  }
  if (ts.isPropertyDeclaration(node) || ts.isPropertySignature(node)) {
    const type = node.type?.getText();
    return line(
      `${name}${node.questionToken === undefined ? '' : '?'}${type === undefined ? '' : `: ${type}`}`,
      node,
      bases,
    );
  }
  if (ts.isGetAccessorDeclaration(node)) {
    return line(`${name}: ${node.type?.getText() ?? 'unknown'}`, node, bases);
  }
  return ts.isIndexSignatureDeclaration(node) ? line(node.getText().replace(/;$/, ''), node, bases) : '';
}

function fileOf(node: ts.Node): string {
  return node.getSourceFile().fileName;
}

function baseNames(node: ts.ClassDeclaration | ts.InterfaceDeclaration): string[] {
  return (node.heritageClauses ?? []).flatMap(({ types }) => types.map(({ expression }) => expression.getText()));
}

/** The declaration and those that it extends, as far as they are in this repository. */
function withBases<T extends ts.ClassDeclaration | ts.InterfaceDeclaration>(node: T): T[] {
  const bases = baseNames(node)
    .map((name) => lookUp(fileOf(node), name))
    .filter((base): base is T => base !== undefined && base.kind === node.kind);
  return [node, ...bases.flatMap(withBases)];
}

function isConstruct(node: ts.ClassDeclaration): boolean {
  return withBases(node).some((one) => baseNames(one).some((name) => /^(Construct|Resource)$/.test(name)));
}

function classBody(name: string, node: ts.ClassDeclaration): string {
  const isAbstract = (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.AbstractKeyword);
  const all = withBases(node).flatMap(({ members }) => [...members]);
  const constructed = all.find(ts.isConstructorDeclaration);
  const shown =
    constructed === undefined || isAbstract || (ts.getModifiers(constructed) ?? []).length > 0
      ? ''
      : `${code(`new ${name}(${parameters(constructed)})`)}\n\n`;
  const keyOf = (member: ts.ClassElement) => `${isStatic(member)} ${member.name?.getText()}`;
  const byKey = new Map<string, ts.ClassElement[]>();
  for (const member of all) {
    byKey.set(keyOf(member), [...(byKey.get(keyOf(member)) ?? []), member]);
  }
  const part = (filter: (member: ts.ClassElement) => boolean) =>
    [...byKey.values()]
      .map(([own, ...bases]) => (own !== undefined && filter(own) ? memberLine(name, own, bases) : ''))
      .join('');
  const isMethod = (member: ts.ClassElement) => ts.isMethodDeclaration(member);
  return `${shown}${part(isStatic)}${part((member) => !isStatic(member) && !isMethod(member))}${part((member) => !isStatic(member) && isMethod(member))}`;
}

function body(name: string, node: Declaration): string {
  if (ts.isClassDeclaration(node)) {
    return classBody(name, node);
  }
  if (ts.isInterfaceDeclaration(node)) {
    return withBases(node)
      .flatMap(({ members }) => [...members])
      .map((member) => memberLine(name, member))
      .join('');
  }
  if (ts.isEnumDeclaration(node)) {
    return node.members.map((member) => line(`${name}.${member.name.getText()}`, member)).join('');
  }
  if (ts.isFunctionDeclaration(node)) {
    return `${code(signature(node, name))}\n`;
  }
  return ts.isTypeAliasDeclaration(node) ? `${code(`type ${name} = ${node.type.getText()}`)}\n` : '';
}

function section(name: string, node: Declaration): string {
  const { text } = docsOf(node);
  const bases =
    ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node)
      ? baseNames(node).filter((base) => base !== 'Construct')
      : [];
  const heritage = bases.length === 0 ? '' : `Extends ${bases.map((base) => `\`${base}\``).join(', ')}.`;
  return [
    `### ${name}\n`,
    ...[text, heritage, body(name, node).trim()].filter((part) => part !== '').map((part) => `${part}\n`),
  ].join('\n');
}

const KINDS: readonly (readonly [string, (node: Declaration) => boolean])[] = [
  ['Constructs', (node) => ts.isClassDeclaration(node) && isConstruct(node)],
  ['Classes', (node) => ts.isClassDeclaration(node) && !isConstruct(node)],
  ['Functions', (node) => ts.isFunctionDeclaration(node) || ts.isVariableStatement(node)],
  ['Enums', ts.isEnumDeclaration],
  ['Interfaces and types', (node) => ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)],
];

function entryPart({ specifier, file, about }: (typeof ENTRIES)[number]): string {
  const found = [...new Set(exportedNames(file))]
    .sort((a, b) => a.localeCompare(b, 'en'))
    .map((name) => {
      const node = lookUp(file, name);
      if (node === undefined) {
        throw new Error(`${file}: cannot find the declaration of '${name}'`);
      }
      return { name, node };
    });
  const kinds = KINDS.map(([title, filter]) => ({
    title,
    members: found.filter(({ node }) => filter(node) && !docsOf(node).isInternal),
  })).filter(({ members }) => members.length > 0);
  const list = kinds
    .map(
      ({ title, members }) =>
        `- ${title}: ${members.map(({ name }) => `[${name}](#${name.toLowerCase()})`).join(', ')}`,
    )
    .join('\n');
  const sections = kinds.flatMap(({ members }) => members.map(({ name, node }) => section(name, node)));
  return `## \`${specifier}\`\n\n${about}\n\n${list}\n\n${sections.join('\n')}`;
}

/** The page as it should be. */
export function apiPage(): string {
  return `# API\n\nWritten by \`npm run docs\`. Do not edit.\n\n${ENTRIES.map(entryPart).join('\n')}`;
}

if (require.main === module) {
  writeFileSync(join(ROOT, PAGE), apiPage());
}
