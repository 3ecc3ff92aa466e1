import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Terminal } from '../../bin/commands/command-line';
import { drillCommand } from '../../bin/commands/drill';
import { rehearseCommand } from '../../bin/commands/rehearse';
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
    expect(lines.join('\n')).toMatch(/gate-cost +the cost gate rolls back a release whose tasks cost 50 %/);
  });

  test('drill rejects an unknown name and a missing name', async () => {
    expect(await run(drillCommand(terminal), 'gate-cots')).toBe(2);
    expect(errors.join('')).toContain('unknown drill "gate-cots": expected one of default, gate-cost');
    expect(await run(drillCommand(terminal))).toBe(2);
  });

  test('drill rejects an invalid number of tasks', async () => {
    expect(await run(drillCommand(terminal), 'chaos', '--tasks', '0')).toBe('commander.invalidArgument');
    expect(await run(drillCommand(terminal), 'chaos', '--tasks', 'many')).toBe('commander.invalidArgument');
  });

  test('every drill of the repository is a valid scenario', async () => {
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

  test('rehearse rejects a scenario with a wrong value, and names its path', async () => {
    writeFileSync(
      join(folder, 'wrong.json'),
      JSON.stringify({ name: 'x', releases: [{ name: 'a', expected: 'promote' }] }),
    );
    expect(await run(rehearseCommand(terminal), '--scenario', 'wrong.json')).toBe(2);
    expect(errors.join('')).toContain('releases[0].expected: "promote": expected one of');
  });

  test('rehearse rejects a speed and a seed out of range', async () => {
    expect(await run(rehearseCommand(terminal), '--speed', '0')).toBe('commander.invalidArgument');
    expect(await run(rehearseCommand(terminal), '--seed', '1.5')).toBe('commander.invalidArgument');
    expect(errors.join('')).toContain('It must be an integer between 0');
  });

  test('rehearse fails without an app, and says how to give one', async () => {
    expect(await run(rehearseCommand(terminal))).toBe(3);
    expect(errors.join('')).toContain('give the command that synthesizes it with --app, or in cdk.json');
  });

  test('rehearse fails when the app fails, and shows the output of the app', async () => {
    const app = `"${process.execPath}" -e "console.error('the prompt is empty'); process.exit(1)"`;
    expect(await run(rehearseCommand(terminal), '--app', app)).toBe(3);
    expect(errors.join('')).toMatch(/could not run: .*ended with exit code 1:\nthe prompt is empty/);
  });

  test('the help says what a command does, what it does not do, and its exit codes', async () => {
    await run(rehearseCommand(terminal), '--help');
    expect(lines.join('')).toMatch(/What it does:[\s\S]*What it does not do:[\s\S]*Exit codes:/);
  });
});
