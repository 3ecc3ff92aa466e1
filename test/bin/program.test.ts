import { execFileSync } from 'node:child_process';
import { createProgram } from '../../bin/commands/program';
import { packageRoot } from '../../rehearsal/core/package-root';

const COMMANDS = ['rehearse', 'drill', 'schema', 'redrive', 'openapi'];

/** Packages that only the work of a command needs. */
const HEAVY = ['dynalite', '@aws-sdk', '@smithy', 'openai', '@anthropic-ai', 'aws-cdk-lib'];

/** Prints the packages that the program has loaded when it ends. */
const LIST_PACKAGES = `
process.on('exit', () => {
  const names = Object.keys(require.cache).map((file) => /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(file)?.[1]);
  process.stderr.write(JSON.stringify([...new Set(names.filter(Boolean))]));
});`;

describe('the program', () => {
  let output: string[];

  beforeEach(() => {
    output = [];
  });

  async function run(...args: string[]): Promise<string> {
    const program = createProgram('1.2.3');
    for (const command of [program, ...program.commands]) {
      command.configureOutput({ writeOut: (text) => output.push(text), writeErr: (text) => output.push(text) });
    }
    await program.parseAsync(args, { from: 'user' }).catch(() => undefined);
    return output.join('');
  }

  test.each([[[]], ...COMMANDS.map((name) => [[name]])])(
    '%p --help loads neither the local cloud nor SDK clients',
    (args) => {
      const script = `${LIST_PACKAGES}; process.argv.push(...${JSON.stringify([...args, '--help'])}); require('./bin/cdk-agent-lanes.ts');`;
      const printed = execFileSync(
        'sh',
        ['-c', 'exec "$0" --require tsx/cjs -e "$1" -- 2>&1', process.execPath, script],
        {
          cwd: packageRoot(),
          encoding: 'utf8',
        },
      );
      const loaded = JSON.parse(printed.slice(printed.lastIndexOf('['))) as string[];
      expect(printed).toContain('Usage: cdk-agent-lanes');
      expect(loaded).toContain('commander');
      expect(loaded.filter((name) => HEAVY.some((heavy) => name.startsWith(heavy)))).toEqual([]);
    },
  );

  test.each(COMMANDS)('%s --help has an example and the exit codes', async (name) => {
    expect(await run(name, '--help')).toMatch(/Examples?:\n[\s\S]*\$ np[xm] [\s\S]*Exit codes:\n {2}0 /);
  });

  test('--help names every command', async () => {
    const help = await run('--help');
    for (const name of COMMANDS) {
      expect(help).toMatch(new RegExp(`^  ${name} `, 'm'));
    }
  });

  test('rejects an unknown command, and names the commands', async () => {
    const text = await run('reherse');
    expect(text).toContain("unknown command 'reherse'");
    expect(text).toContain('Commands: rehearse, drill, schema, redrive, openapi');
    expect(text).toContain('Run with --help for usage.');
  });

  test('rejects an unknown option, and names the options of the command', async () => {
    const text = await run('redrive', '--send');
    expect(text).toContain("unknown option '--send'");
    expect(text).toMatch(/Options of redrive: .*--execute, --dry-run/);
  });
});
