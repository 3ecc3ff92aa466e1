import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { drillCommand } from '../../bin/commands/drill';
import { rehearseCommand } from '../../bin/commands/rehearse';
import type { Terminal } from '../../bin/commands/run-and-report';
import { schemaCommand } from '../../bin/commands/schema';
import { DRILLS } from '../../rehearsal/catalog';
import { parseScenario } from '../../rehearsal/drill/scenario/load-scenario';

describe('the commands', () => {
  const folder = mkdtempSync(join(tmpdir(), 'commands-'));
  let lines: string[];
  let errors: string[];
  let directory: jest.SpyInstance;
  const terminal: Terminal = {
    out: (line) => lines.push(line),
    err: (line) => errors.push(line),
    isTTY: false,
  };

  beforeEach(() => {
    lines = [];
    errors = [];
    directory = jest.spyOn(process, 'cwd').mockReturnValue(folder);
  });

  afterEach(() => {
    directory.mockRestore();
    process.exitCode = 0;
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function run(command: Command, ...args: string[]): Promise<number | string> {
    command
      .exitOverride()
      .configureOutput({ writeErr: (text) => errors.push(text), writeOut: (text) => lines.push(text) });
    try {
      await command.parseAsync(args, { from: 'user' });
    } catch (error) {
      return (error as { code: string }).code;
    }
    return Number(process.exitCode ?? 0);
  }

  test('drill --list names every drill with what it shows', async () => {
    expect(await run(drillCommand(terminal), '--list')).toBe(0);
    expect(lines).toHaveLength(DRILLS.length);
    expect(lines.join('\n')).toMatch(/gate-cost +a release whose tasks cost half as much again/);
  });

  test('drill refuses a name that it does not know, and none', async () => {
    expect(await run(drillCommand(terminal), 'gate-cots')).toBe(2);
    expect(errors.join('')).toContain('there is no drill "gate-cots": expected one of default, gate-cost');
    expect(await run(drillCommand(terminal))).toBe(2);
  });

  test('drill refuses a number of tasks that is none', async () => {
    expect(await run(drillCommand(terminal), 'chaos', '--tasks', '0')).toBe('commander.invalidArgument');
    expect(await run(drillCommand(terminal), 'chaos', '--tasks', 'many')).toBe('commander.invalidArgument');
  });

  test('every drill of the repository is a scenario', async () => {
    directory.mockRestore();
    for (const drill of DRILLS) {
      const scenario = await drill.scenario();
      expect(parseScenario(JSON.parse(JSON.stringify(scenario)), drill.name).releases.length).toBeGreaterThan(0);
    }
  });

  test('the default drill is as large as the README says', async () => {
    directory.mockRestore();
    const scenario = await DRILLS[0]?.scenario();
    expect(scenario?.traffic?.tasks).toBeGreaterThanOrEqual(2_000);
    expect(scenario?.traffic?.users).toBe(300);
    expect(scenario?.releases.map(({ expected }) => expected)).toEqual(['promoted', 'rolled_back', 'promoted']);
  });

  test('schema prints the published schema', async () => {
    expect(await run(schemaCommand(terminal))).toBe(0);
    const published = readFileSync(join(__dirname, '../../rehearsal/scenario.schema.json'), 'utf8');
    expect(JSON.parse(lines.join('\n'))).toEqual(JSON.parse(published));
  });

  test('rehearse refuses a scenario with a wrong value, by path', async () => {
    writeFileSync(
      join(folder, 'wrong.json'),
      JSON.stringify({ name: 'x', releases: [{ name: 'a', expected: 'promote' }] }),
    );
    expect(await run(rehearseCommand(terminal), '--scenario', 'wrong.json')).toBe(2);
    expect(errors.join('')).toContain('releases[0].expected: "promote": expected one of');
  });

  test('rehearse refuses a speed and a seed out of range', async () => {
    expect(await run(rehearseCommand(terminal), '--speed', '0')).toBe('commander.invalidArgument');
    expect(await run(rehearseCommand(terminal), '--seed', '1.5')).toBe('commander.invalidArgument');
    expect(errors.join('')).toContain('expected a whole number from 0');
  });

  test('rehearse cannot run without an app, and says how to name one', async () => {
    expect(await run(rehearseCommand(terminal))).toBe(3);
    expect(errors.join('')).toContain('give the command that synthesizes it with --app, or in cdk.json');
  });

  test('rehearse cannot run an app that fails, and shows what the app wrote', async () => {
    const app = `"${process.execPath}" -e "console.error('the prompt is empty'); process.exit(1)"`;
    expect(await run(rehearseCommand(terminal), '--app', app)).toBe(3);
    expect(errors.join('')).toMatch(/could not run: .*ended with exit code 1:\nthe prompt is empty/);
  });

  test('the help says what a command does, what it does not do, and its exit codes', async () => {
    await run(rehearseCommand(terminal), '--help');
    expect(lines.join('')).toMatch(/What it does:[\s\S]*What it does not do:[\s\S]*Exit codes:/);
  });
});
