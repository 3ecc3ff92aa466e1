/** Writes docs/errors.md from the errors that the constructs throw. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const ROOT = join(__dirname, '..');

const PAGE = 'docs/errors.md';

const CODES = 'lib/contract/error-codes.ts';

interface ThrownError {
  readonly code: string;
  /** `lib/release/model-ids.ts` */
  readonly file: string;
  /** Text with `‹expression›` for what is filled in at run time. */
  readonly message: string;
}

function sources(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
    .sort();
}

/** Methods that change the form of a value and not what it is. */
const CONVERSIONS = /^(join|map|filter|slice|sort|to[A-Z]\w*)$/;

/** What a reader sees in place of an expression: its last name. Conditions show both sides. */
function placeholder(node: ts.Expression): string {
  if (ts.isConditionalExpression(node)) {
    return `‹${[node.whenTrue, node.whenFalse]
      .map((side) => textOf(side).replaceAll(/[‹›]/g, ''))
      .filter((side) => side !== '')
      .join(' | ')}›`;
  }
  if (ts.isCallExpression(node)) {
    const [first] = node.arguments;
    if (ts.isPropertyAccessExpression(node.expression) && CONVERSIONS.test(node.expression.name.text)) {
      return placeholder(node.expression.expression);
    }
    return first === undefined ? `‹${node.expression.getText()}›` : placeholder(first);
  }
  if (ts.isPropertyAccessExpression(node)) {
    return `‹${node.name.text}›`;
  }
  if (ts.isStringLiteralLike(node) || ts.isTemplateExpression(node)) {
    return `‹${textOf(node).replaceAll(/[‹›]/g, '')}›`;
  }
  return ts.isIdentifier(node) ? `‹${node.text}›` : '‹…›';
}

function textOf(node: ts.Expression): string {
  if (ts.isStringLiteralLike(node)) {
    return node.text;
  }
  if (ts.isTemplateExpression(node)) {
    return node.head.text + node.templateSpans.map((span) => textIn(span.expression) + span.literal.text).join('');
  }
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    return textOf(node.left) + textOf(node.right);
  }
  if (ts.isParenthesizedExpression(node)) {
    return textOf(node.expression);
  }
  return placeholder(node);
}

function textIn(node: ts.Expression): string {
  return ts.isParenthesizedExpression(node) ? textIn(node.expression) : placeholder(node);
}

/** A function that makes an error with the code that it is given, like `checkedInteger`. */
interface Check {
  readonly name: string;
  readonly file: string;
  readonly parameters: readonly string[];
  /** Name of the parameter that holds the code. */
  readonly code: string;
  readonly message: string;
  readonly isExported: boolean;
}

function callsIn(source: ts.SourceFile): ts.CallExpression[] {
  const calls: ts.CallExpression[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      calls.push(node);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return calls;
}

function isCallOf(name: string, node: ts.CallExpression): boolean {
  return ts.isIdentifier(node.expression) && node.expression.text === name;
}

/** The function around a call that has the code as a parameter. */
function checkAround(file: string, call: ts.CallExpression, code: string, message: string): Check | undefined {
  const around = ts.findAncestor(
    call,
    (node): node is ts.FunctionDeclaration | ts.ArrowFunction =>
      (ts.isFunctionDeclaration(node) || ts.isArrowFunction(node)) &&
      node.parameters.some((parameter) => parameter.name.getText() === code),
  );
  const name = around === undefined || ts.isFunctionDeclaration(around) ? around?.name : nameOfVariable(around);
  if (around === undefined || name === undefined) {
    return undefined;
  }
  const isExported = (ts.getModifiers(around) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
  const parameters = around.parameters.map((parameter) => parameter.name.getText());
  return { name: name.getText(), file, parameters, code, message, isExported };
}

function nameOfVariable({ parent }: ts.ArrowFunction): ts.BindingName | undefined {
  return ts.isVariableDeclaration(parent) ? parent.name : undefined;
}

/** The message of a check with what its caller gives: texts, and members of objects like `{ name: 'concurrency' }`. */
function filledIn({ message, parameters }: Check, given: readonly ts.Expression[]): string {
  const values = given.flatMap((argument, index): [string, ts.Expression][] =>
    ts.isObjectLiteralExpression(argument)
      ? argument.properties
          .filter(ts.isPropertyAssignment)
          .map(({ name, initializer }) => [name.getText(), initializer])
      : [[parameters[index] ?? '', argument]],
  );
  return values.reduce((text, [name, value]) => {
    const isText = ts.isNumericLiteral(value) || !textOf(value).startsWith('‹');
    const shown = ts.isNumericLiteral(value) ? value.text.replaceAll('_', '') : textOf(value);
    return isText ? text.replaceAll(`‹${name}›`, shown) : text;
  }, message);
}

/**
 * All errors that lib throws.
 *
 * @throws if a code is not a literal: a reader who searches for it would not find it
 */
function thrownErrors(): ThrownError[] {
  const files = sources('lib').map((file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    return { file, calls: callsIn(ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true)) };
  });
  const checks: Check[] = [];
  const found: ThrownError[] = [];
  for (const { file, calls } of files) {
    for (const call of calls.filter((candidate) => isCallOf('laneError', candidate))) {
      const [, code, message] = call.arguments;
      if (code === undefined || message === undefined) {
        continue;
      }
      const check = ts.isIdentifier(code) ? checkAround(file, call, code.text, textOf(message)) : undefined;
      if (check !== undefined) {
        checks.push(check);
      } else if (ts.isStringLiteralLike(code)) {
        found.push({ code: code.text, file, message: textOf(message) });
      } else {
        const { line } = call.getSourceFile().getLineAndCharacterOfPosition(call.getStart());
        throw new Error(`${file}:${line + 1}: the code of an error must be a literal, got ${code.getText()}`);
      }
    }
  }
  for (const check of checks) {
    for (const { file, calls } of files.filter(({ file: one }) => check.isExported || one === check.file)) {
      for (const call of calls.filter((candidate) => isCallOf(check.name, candidate))) {
        const code = call.arguments[check.parameters.indexOf(check.code)];
        if (code === undefined || !ts.isStringLiteralLike(code)) {
          throw new Error(`${file}: the code given to ${check.name} must be a literal, got ${code?.getText()}`);
        }
        found.push({ code: code.text, file, message: filledIn(check, call.arguments) });
      }
    }
  }
  return found;
}

function markdown(text: string): string {
  return text
    .replaceAll('`', "'")
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/([<>*])/g, '\\$1')
    .trim();
}

/** Sections of the page for the codes that functions, workers and the API store and answer. */
function storedCodes(): string {
  const source = ts.createSourceFile(CODES, readFileSync(join(ROOT, CODES), 'utf8'), ts.ScriptTarget.ES2023, true);
  return source.statements
    .filter(ts.isVariableStatement)
    .map((statement) => {
      const [declaration] = statement.declarationList.declarations;
      const value = declaration?.initializer;
      const table = value !== undefined && ts.isAsExpression(value) ? value.expression : value;
      if (declaration === undefined || table === undefined || !ts.isObjectLiteralExpression(table)) {
        throw new Error(`${CODES}: expected objects of codes, got ${statement.getText()}`);
      }
      const entries = table.properties.filter(ts.isPropertyAssignment).map((property) => {
        const code = ts.isStringLiteral(property.initializer) ? property.initializer.text : property.name.getText();
        return `- \`${code}\`: ${commentOf(property)}`;
      });
      return `### ${declaration.name.getText()}\n\n${commentOf(statement)}\n\n${entries.join('\n')}\n`;
    })
    .join('\n');
}

function commentOf(node: ts.Node): string {
  const comment = ts.getJSDocCommentsAndTags(node).find(ts.isJSDoc)?.comment;
  return markdown(ts.getTextOfJSDocComment(comment) ?? '');
}

/** The page as it should be. */
export function errorsPage(): string {
  const errors = thrownErrors();
  const codes = [...new Set(errors.map(({ code }) => code))].sort();
  const sections = codes.map((code) => {
    const entries = errors
      .filter((error) => error.code === code)
      .map(({ file, message }) => `- ${markdown(message)} (\`${file}\`)`);
    return `### ${code}\n\n${[...new Set(entries)].join('\n')}\n`;
  });
  return `# Errors

Written by \`npm run docs\`. Do not edit.

## Errors at synth

The constructs throw a \`LaneError\` for a misuse: \`[construct path] Code: message\`. Its \`code\` is stable. The message names the wrong value, what is accepted, and what to do. ‹Words› in these marks
are filled in.

${sections.join('\n')}
## Codes of tasks, agents and the API

A code is snake_case and never renamed. A task's \`error.code\` can also be a code of the agent's own.

${storedCodes()}`;
}

if (require.main === module) {
  writeFileSync(join(ROOT, PAGE), errorsPage());
}
