import { type Dirent, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { laneError } from '../common';

/** One file of a behavior directory, read. */
export interface BehaviorFile {
  /** Path below its folder without the extension, `/` between the parts, Unicode in composed form (NFC). */
  readonly name: string;
  /** As the user would write it, for messages. */
  readonly path: string;
  /** Text without byte order mark, lines ended by LF. */
  readonly text: string;
}

/** Order of the bytes of the names in UTF-8: the same on every machine, whatever its locale and file system. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));
}

/**
 * Line ends and the byte order mark depend on the machine of the checkout (git's `core.autocrlf`), not on what the author
 * changed: they are normalized, so that the release is the same from every checkout.
 */
function normalize(text: string): string {
  return text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n');
}

function unreadable(path: string, error: unknown): Error {
  return laneError(
    undefined,
    'UnreadableFile',
    `cannot read ${path} (${error instanceof Error ? error.message : String(error)}): expected a file that the user who synthesizes may read; correct its permissions or remove it`,
  );
}

function listFolder(path: string): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch (error) {
    throw unreadable(path, error);
  }
}

function readText(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    return normalize(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw laneError(
      undefined,
      'InvalidEncoding',
      `${path} is not valid UTF-8: expected UTF-8, which every reader decodes to the same text; save the file as UTF-8`,
    );
  }
}

/**
 * Reads all files of one kind below a folder, in the order of their names.
 *
 * Hidden files and folders (names that begin with a dot) belong to editors and systems and are ignored. Other files are
 * refused: a file that looks like a part of the behavior must be one. Symbolic links are refused, too: their targets may
 * differ between checkouts, and git's history of the folder does not show them.
 *
 * @param folder for example `agent/prompts`
 * @param extensions with the dot
 * @returns undefined if there is no such folder
 */
export function readBehaviorFiles(folder: string, extensions: readonly string[]): BehaviorFile[] | undefined {
  const files: BehaviorFile[] = [];
  const visit = (directory: string, prefix: string): void => {
    for (const entry of listFolder(directory)) {
      if (entry.name.startsWith('.')) {
        continue;
      }
      const path = join(directory, entry.name);
      if (entry.isDirectory()) {
        visit(path, `${prefix}${entry.name}/`);
        continue;
      }
      if (!entry.isFile()) {
        throw laneError(
          undefined,
          'UnsupportedFileType',
          `${path} is ${entry.isSymbolicLink() ? 'a symbolic link' : 'not a regular file'}: expected regular files and folders only, for the content must be the same in every checkout; replace it by a copy of the file`,
        );
      }
      const extension = extensions.find((candidate) => entry.name.endsWith(candidate));
      if (extension === undefined || entry.name === extension) {
        throw laneError(
          undefined,
          'UnsupportedFile',
          `${path} would not be part of the release: expected names that end in ${extensions.join(' or ')}; rename the file, move it elsewhere, or hide it with a leading dot`,
        );
      }
      const name = `${prefix}${entry.name.slice(0, -extension.length)}`.normalize('NFC');
      files.push({ name, path, text: readText(path) });
    }
  };
  let stats: ReturnType<typeof lstatSync> | undefined;
  try {
    stats = lstatSync(folder);
  } catch {
    return undefined;
  }
  if (!stats.isDirectory()) {
    throw laneError(
      undefined,
      'InvalidBehaviorFolder',
      `${folder} is ${stats.isSymbolicLink() ? 'a symbolic link' : 'not a folder'}: expected a folder of files that end in ${extensions.join(' or ')}; replace it by one`,
    );
  }
  visit(folder, '');
  files.sort((a, b) => byBytes(a.name, b.name) || byBytes(a.path, b.path));
  files.forEach((file, index) => {
    const before = files[index - 1];
    if (before?.name === file.name) {
      throw laneError(
        undefined,
        'DuplicateBehaviorName',
        `${before.path} and ${file.path} are both called "${file.name}": expected one file for a name; rename one of them`,
      );
    }
  });
  return files;
}
