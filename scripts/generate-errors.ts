/** Writes docs/errors.md from the errors that the constructs throw. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const ROOT = join(__dirname, '..');

const PAGE = 'docs/errors.md';

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

/**
 * All calls of `laneError` in lib.
 *
 * @throws if a code is not a literal: a reader who searches for it would not find it
 */
function thrownErrors(): ThrownError[] {
  return sources('lib').flatMap((file) => {
    const source = ts.createSourceFile(file, readFileSync(join(ROOT, file), 'utf8'), ts.ScriptTarget.ES2023, true);
    const found: ThrownError[] = [];
    const visit = (node: ts.Node): void => {
      if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === 'laneError') {
        const [, code, message] = node.arguments;
        if (code === undefined || message === undefined || !ts.isStringLiteralLike(code)) {
          const { line } = source.getLineAndCharacterOfPosition(node.getStart());
          throw new Error(`${file}:${line + 1}: the code of an error must be a literal, got ${code?.getText()}`);
        }
        found.push({ code: code.text, file, message: textOf(message) });
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
    return found;
  });
}

function markdown(text: string): string {
  return text
    .replaceAll('`', "'")
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/([<>*])/g, '\\$1')
    .trim();
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

${sections.join('\n')}`;
}

if (require.main === module) {
  writeFileSync(join(ROOT, PAGE), errorsPage());
}
