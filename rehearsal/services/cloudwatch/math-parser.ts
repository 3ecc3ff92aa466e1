/**
 * Grammar of CloudWatch metric math as far as the rehearsal supports it.
 * Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
 */
export type MathNode =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'id'; readonly id: string }
  | { readonly kind: 'negate'; readonly operand: MathNode }
  | { readonly kind: 'binary'; readonly operator: BinaryOperator; readonly left: MathNode; readonly right: MathNode }
  | { readonly kind: 'if'; readonly condition: MathNode; readonly then: MathNode; readonly otherwise?: MathNode }
  | { readonly kind: 'fill'; readonly series: MathNode; readonly filler: MathNode | 'REPEAT' | 'LINEAR' }
  | { readonly kind: 'each'; readonly name: EachFunction; readonly operand: MathNode }
  | {
      readonly kind: 'over';
      readonly name: OverFunction;
      readonly operands: readonly MathNode[];
      readonly list: boolean;
    };

/** Functions of one value. */
const EACH = ['ABS', 'CEIL', 'FLOOR'] as const;
export type EachFunction = (typeof EACH)[number];

/** Functions of the values of a list of series at one time, or of one series over time. */
const OVER = ['AVG', 'MAX', 'MIN', 'SUM'] as const;
export type OverFunction = (typeof OVER)[number];

export type BinaryOperator = '+' | '-' | '*' | '/' | '^' | '<' | '<=' | '>' | '>=' | '==' | '!=' | 'AND' | 'OR';

/** An expression that is invalid, or that the rehearsal cannot evaluate. The message has the position. */
export class MathError extends Error {}

interface Token {
  readonly kind: 'number' | 'id' | 'function' | 'operator' | 'end';
  readonly text: string;
  readonly at: number;
}

/** Loosest first. Operators of one row bind equally and to the left. */
const PRECEDENCE: readonly (readonly BinaryOperator[])[] = [
  ['OR'],
  ['AND'],
  ['==', '!='],
  ['<', '<=', '>', '>='],
  ['+', '-'],
  ['*', '/'],
];

/** @throws MathError with the expression, the position and what was expected */
export function parseMath(expression: string): MathNode {
  return new Parser(expression).parse();
}

/** Ids that the expression uses. */
export function idsOf(node: MathNode): readonly string[] {
  switch (node.kind) {
    case 'number':
      return [];
    case 'id':
      return [node.id];
    case 'negate':
      return idsOf(node.operand);
    case 'binary':
      return [...idsOf(node.left), ...idsOf(node.right)];
    case 'if':
      return [
        ...idsOf(node.condition),
        ...idsOf(node.then),
        ...(node.otherwise === undefined ? [] : idsOf(node.otherwise)),
      ];
    case 'fill':
      return [...idsOf(node.series), ...(typeof node.filler === 'string' ? [] : idsOf(node.filler))];
    case 'each':
      return idsOf(node.operand);
    case 'over':
      return node.operands.flatMap(idsOf);
  }
}

class Parser {
  readonly #expression: string;
  readonly #tokens: readonly Token[];
  #position = 0;

  constructor(expression: string) {
    this.#expression = expression;
    this.#tokens = tokenize(expression);
  }

  parse(): MathNode {
    const node = this.#level(0);
    const rest = this.#peek();
    if (rest.kind !== 'end') {
      throw this.#unexpected(rest, 'an operator or the end');
    }
    return node;
  }

  #level(depth: number): MathNode {
    const operators = PRECEDENCE[depth];
    if (operators === undefined) {
      return this.#unary();
    }
    let left = this.#level(depth + 1);
    for (;;) {
      const token = this.#peek();
      const operator = operators.find((candidate) => candidate === token.text);
      if (token.kind !== 'operator' || operator === undefined) {
        return left;
      }
      this.#position++;
      left = { kind: 'binary', operator, left, right: this.#level(depth + 1) };
    }
  }

  #unary(): MathNode {
    if (this.#accept('-')) {
      return { kind: 'negate', operand: this.#unary() };
    }
    return this.#power();
  }

  #power(): MathNode {
    const base = this.#primary();
    if (this.#accept('^')) {
      return { kind: 'binary', operator: '^', left: base, right: this.#unary() };
    }
    return base;
  }

  #primary(): MathNode {
    const token = this.#peek();
    this.#position++;
    if (token.kind === 'number') {
      return { kind: 'number', value: Number(token.text) };
    }
    if (token.kind === 'id') {
      return { kind: 'id', id: token.text };
    }
    if (token.kind === 'function') {
      return this.#call(token);
    }
    if (token.text === '(') {
      const inner = this.#level(0);
      this.#expect(')');
      return inner;
    }
    throw this.#unexpected(token, 'a number, an id, a function or "("');
  }

  #call(token: Token): MathNode {
    if (token.text === 'IF') {
      this.#expect('(');
      const condition = this.#level(0);
      this.#expect(',');
      const then = this.#level(0);
      if (this.#accept(',')) {
        const otherwise = this.#level(0);
        this.#expect(')');
        return { kind: 'if', condition, then, otherwise };
      }
      this.#expect(')');
      return { kind: 'if', condition, then };
    }
    if (token.text === 'FILL') {
      this.#expect('(');
      const series = this.#level(0);
      this.#expect(',');
      const next = this.#peek();
      if (next.text === 'REPEAT' || next.text === 'LINEAR') {
        this.#position++;
        this.#expect(')');
        return { kind: 'fill', series, filler: next.text };
      }
      const filler = this.#level(0);
      this.#expect(')');
      return { kind: 'fill', series, filler };
    }
    const each = EACH.find((name) => name === token.text);
    if (each !== undefined) {
      this.#expect('(');
      const operand = this.#level(0);
      this.#expect(')');
      return { kind: 'each', name: each, operand };
    }
    const over = OVER.find((name) => name === token.text);
    if (over !== undefined) {
      this.#expect('(');
      const node = this.#over(over);
      this.#expect(')');
      return node;
    }
    throw new MathError(
      `not rehearsable: function ${token.text} at ${token.at + 1} of metric math "${this.#expression}"; the rehearsal supports IF, FILL, ${[...OVER, ...EACH].join(', ')}`,
    );
  }

  /** One series, or `[a, b]`. */
  #over(name: OverFunction): MathNode {
    if (!this.#accept('[')) {
      return { kind: 'over', name, operands: [this.#level(0)], list: false };
    }
    const operands = [this.#level(0)];
    while (this.#accept(',')) {
      operands.push(this.#level(0));
    }
    this.#expect(']');
    return { kind: 'over', name, operands, list: true };
  }

  #peek(): Token {
    return this.#tokens[this.#position] ?? { kind: 'end', text: '', at: this.#expression.length };
  }

  #accept(text: string): boolean {
    const token = this.#peek();
    if (token.kind === 'operator' && token.text === text) {
      this.#position++;
      return true;
    }
    return false;
  }

  #expect(text: string): void {
    const token = this.#peek();
    if (!this.#accept(text)) {
      throw this.#unexpected(token, `"${text}"`);
    }
  }

  #unexpected(token: Token, expected: string): MathError {
    const found = token.kind === 'end' ? 'the end' : `"${token.text}"`;
    return new MathError(`metric math "${this.#expression}": expected ${expected} at ${token.at + 1}, found ${found}`);
  }
}

/** Quotes are no part of the grammar here, but are read so that the function around them is named. */
const TOKEN =
  /\s*(?:(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+)|([A-Za-z_][A-Za-z0-9_]*)|(&&|\|\||[<>=!]=|[-+*/^<>(),[\]]|'[^']*'|"[^"]*"))/y;

function tokenize(expression: string): readonly Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  const text = expression.trimEnd();
  let at = 0;
  while (at < text.length) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) {
      const found = text.slice(at).trimStart().charAt(0);
      throw new MathError(`metric math "${expression}": "${found}" near ${at + 1} is not rehearsable`);
    }
    const [all, number, word, operator] = match;
    const start = at + all.length - (number ?? word ?? operator ?? '').length;
    at += all.length;
    if (number !== undefined) {
      tokens.push({ kind: 'number', text: number, at: start });
    } else if (word !== undefined) {
      tokens.push(
        word === 'AND' || word === 'OR'
          ? { kind: 'operator', text: word, at: start }
          : { kind: /^[a-z]/.test(word) ? 'id' : 'function', text: word, at: start },
      );
    } else if (operator !== undefined) {
      const text = operator === '&&' ? 'AND' : operator === '||' ? 'OR' : operator;
      tokens.push({ kind: 'operator', text, at: start });
    }
  }
  return tokens;
}
