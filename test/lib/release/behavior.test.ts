import fs, { linkSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Aws, Lazy } from 'aws-cdk-lib';
import { Behavior } from '../../../lib/release';
import { agentFolder, SMALL_AGENT, testModel, writeFiles } from '../../support/agent-folder';

function read(files: Readonly<Record<string, string | Uint8Array>>): Behavior {
  return Behavior.fromDirectory(agentFolder(files), { model: testModel() });
}

/** As some file systems write names: letter and accent apart. */
function decomposed(path: string): string {
  return path.normalize('NFD');
}

describe('Behavior.fromDirectory', () => {
  test('names prompts and tools by their paths, in the order of their bytes', () => {
    const behavior = read({
      'prompts/zebra.md': 'z',
      'prompts/Answer.md': 'A',
      'prompts/answer.txt': 'a',
      'prompts/mail/reply.md': 'm',
      'prompts/ärger.md': 'ä',
      'tools/crm/find.json': '{}',
      'tools/Search.json': '{"type":"object"}',
    });
    expect(behavior.promptNames).toEqual(['Answer', 'answer', 'mail/reply', 'zebra', 'ärger']);
    expect(behavior.toolNames).toEqual(['Search', 'crm/find']);
    expect(behavior._prompts['mail/reply']).toBe('m');
    expect(behavior._tools.Search).toEqual({ type: 'object' });
  });

  test('needs no tools folder', () => {
    expect(read({ 'prompts/a.md': 'a' }).toolNames).toEqual([]);
  });

  test('reads the same text from a checkout with other line ends and a byte order mark', () => {
    const lf = read({ 'prompts/a.md': 'one\ntwo\n', 'tools/t.json': '{\n"type": "object"\n}' });
    const crlf = read({ 'prompts/a.md': '\uFEFFone\r\ntwo\r\n', 'tools/t.json': '\uFEFF{\r\n"type": "object"\r\n}' });
    expect(crlf._prompts).toEqual(lf._prompts);
    expect(crlf._tools).toEqual(lf._tools);
  });

  test('gives names one Unicode form, whatever the file system made of them', () => {
    expect(read({ [decomposed('prompts/ü.md')]: 'x' }).promptNames).toEqual(['\u00fc']);
  });

  test('passes over hidden files and folders', () => {
    const behavior = read({
      ...SMALL_AGENT,
      'prompts/.DS_Store': '\0',
      'prompts/.old/a.md': '',
      'tools/.hidden.txt': '',
    });
    expect(behavior.promptNames).toEqual(['answer', 'style']);
  });

  test('keeps a prompt that is called __proto__', () => {
    const behavior = read({ 'prompts/__proto__.md': 'x' });
    expect(behavior.promptNames).toEqual(['__proto__']);
    expect(Object.entries(behavior._prompts)).toEqual([['__proto__', 'x']]);
  });

  test('refuses a folder without prompts, and names it', () => {
    expect(() => read({ 'tools/a.json': '{}' })).toThrow(
      /MissingPrompts: there is no folder .*\/prompts: expected at least one/,
    );
    const folder = agentFolder({ 'tools/a.json': '{}' });
    mkdirSync(join(folder, 'prompts'));
    expect(() => Behavior.fromDirectory(folder, { model: testModel() })).toThrow(
      /MissingPrompts: .*prompts holds no prompt/,
    );
    expect(() => Behavior.fromDirectory('nowhere', { model: testModel() })).toThrow(
      /MissingPrompts: there is no folder nowhere\/prompts/,
    );
  });

  test('refuses prompts that are a file', () => {
    expect(() => read({ prompts: 'x' })).toThrow(/InvalidBehaviorFolder: .*prompts is not a folder/);
    const folder = agentFolder({ 'elsewhere/a.md': 'x' });
    symlinkSync('elsewhere', join(folder, 'prompts'));
    expect(() => Behavior.fromDirectory(folder, { model: testModel() })).toThrow(
      /InvalidBehaviorFolder: .*prompts is a symbolic link/,
    );
  });

  test.each(['', ' \n\t ', '\uFEFF\r\n'])('refuses the empty prompt %j', (text) => {
    expect(() => read({ ...SMALL_AGENT, 'prompts/empty.md': text })).toThrow(
      /MissingPromptText: .*empty\.md is empty: expected the text of the prompt "empty"/,
    );
  });

  test('refuses bytes that are not UTF-8', () => {
    expect(() => read({ 'prompts/a.md': Uint8Array.from([0x67, 0x72, 0xfc, 0xdf, 0x65]) })).toThrow(
      /InvalidEncoding: .*a\.md is not valid UTF-8.*save the file as UTF-8/,
    );
  });

  test.each([
    ['readFileSync', 'a file', 'answer\\.md'],
    ['readdirSync', 'a folder', 'prompts'],
  ] as const)('refuses what cannot be read: %s of %s', (call, _, path) => {
    const folder = agentFolder(SMALL_AGENT);
    // Permissions do not stop a test that runs as root, so the refusal of the system is put in here.
    const denied = jest.spyOn(fs, call).mockImplementation(() => {
      throw new Error('EACCES: permission denied');
    });
    try {
      expect(() => Behavior.fromDirectory(folder, { model: testModel() })).toThrow(
        new RegExp(`UnreadableFile: cannot read .*${path} \\(EACCES: permission denied\\): .*correct its permissions`),
      );
    } finally {
      denied.mockRestore();
    }
  });

  test('refuses symbolic links, and takes hard ones', () => {
    const folder = agentFolder(SMALL_AGENT);
    linkSync(join(folder, 'prompts', 'answer.md'), join(folder, 'prompts', 'hard.md'));
    expect(Behavior.fromDirectory(folder, { model: testModel() }).promptNames).toContain('hard');
    symlinkSync(join(folder, 'prompts', 'answer.md'), join(folder, 'prompts', 'soft.md'));
    expect(() => Behavior.fromDirectory(folder, { model: testModel() })).toThrow(
      /UnsupportedFileType: .*soft\.md is a symbolic link: .*replace it by a copy of the file/,
    );
  });

  test('refuses a file that would not be part of the release', () => {
    expect(() => read({ ...SMALL_AGENT, 'prompts/answer.yaml': 'x' })).toThrow(
      /UnsupportedFile: .*answer\.yaml would not be part of the release: expected names that end in \.md or \.txt/,
    );
    expect(() => read({ ...SMALL_AGENT, 'tools/readme.md': 'x' })).toThrow(
      /UnsupportedFile: .*names that end in \.json/,
    );
  });

  test('refuses two files of one name', () => {
    expect(() => read({ 'prompts/a.md': 'x', 'prompts/a.txt': 'y' })).toThrow(
      /DuplicateBehaviorName: .*a\.md and .*a\.txt are both called "a"/,
    );
    expect(() => read({ 'prompts/ü.md': 'x', [decomposed('prompts/ü.txt')]: 'y' })).toThrow(/DuplicateBehaviorName/);
  });

  test('refuses a tool that is not JSON, and one that is no schema', () => {
    expect(() => read({ ...SMALL_AGENT, 'tools/bad.json': '{"type":' })).toThrow(
      /InvalidToolJson: .*bad\.json is not JSON \(.*\): expected the JSON schema of the input of the tool "bad"/,
    );
    expect(() => read({ ...SMALL_AGENT, 'tools/list.json': '[]' })).toThrow(
      /InvalidToolSchema: .*list\.json holds an array/,
    );
    expect(() => read({ ...SMALL_AGENT, 'tools/null.json': 'null' })).toThrow(/InvalidToolSchema: .*holds null/);
    expect(() => read({ ...SMALL_AGENT, 'tools/text.json': '"x"' })).toThrow(/InvalidToolSchema: .*holds a string/);
  });

  test('refuses tokens', () => {
    expect(() => Behavior.fromDirectory(Aws.STACK_NAME, { model: testModel() })).toThrow(/UnresolvedBehavior/);
    const stateSchema = Lazy.number({ produce: () => 1 });
    expect(() => Behavior.fromDirectory(agentFolder(), { model: testModel(), stateSchema })).toThrow(
      /InvalidStateSchema: stateSchema must be an integer of 1 or more, got a token/,
    );
  });

  test.each([0, -1, 1.5, Number.NaN])('refuses state schema %p', (stateSchema) => {
    expect(() => Behavior.fromDirectory(agentFolder(), { model: testModel(), stateSchema })).toThrow(
      /InvalidStateSchema: stateSchema must be an integer of 1 or more, got/,
    );
  });

  test('reads what was there when it was called', () => {
    const folder = agentFolder();
    const before = Behavior.fromDirectory(folder, { model: testModel() });
    writeFiles(folder, { 'prompts/answer.md': 'Other.' });
    expect(before._prompts.answer).toBe('Answer the question {{question}}.\n');
  });
});
