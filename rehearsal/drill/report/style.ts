/** Colors on a terminal that supports them, plain text otherwise. */
export interface Style {
  success(text: string): string;
  failure(text: string): string;
  dim(text: string): string;
  bold(text: string): string;
}

const plain: Style = { success: (text) => text, failure: (text) => text, dim: (text) => text, bold: (text) => text };

const colored: Style = {
  success: (text) => `\u001b[32m${text}\u001b[39m`,
  failure: (text) => `\u001b[31m${text}\u001b[39m`,
  dim: (text) => `\u001b[2m${text}\u001b[22m`,
  bold: (text) => `\u001b[1m${text}\u001b[22m`,
};

/** Follows https://no-color.org: any value of NO_COLOR turns colors off. */
export function styleFor(stream: { readonly isTTY?: boolean }, environment: NodeJS.ProcessEnv = process.env): Style {
  const isColored = stream.isTTY === true && !environment.NO_COLOR && environment.TERM !== 'dumb';
  return isColored ? colored : plain;
}
