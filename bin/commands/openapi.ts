import { writeFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { agentOpenApiDocument } from '../../lib/contract/agent-openapi';
import { openApiDocument } from '../../lib/contract/openapi';
import { ExitCode } from './exit-codes';
import { TERMINAL, type Terminal } from './run-and-report';

const EXAMPLES = `
Examples:
  $ npx cdk-agent-lanes openapi --out openapi.json
  $ npx cdk-agent-lanes openapi | jq '.paths | keys'
  $ npx cdk-agent-lanes openapi --of agent-protocol --out agent-protocol.json`;

/** What there are documents of. */
const DOCUMENTS = { 'http-api': openApiDocument, 'agent-protocol': agentOpenApiDocument } as const;

/**
 * `openapi`: prints the OpenAPI document of the HTTP API, or of the protocol that agents in containers speak.
 *
 * @param version of the package: the document's
 */
export function openApiCommand(version: string, terminal: Terminal = TERMINAL): Command {
  return new Command('openapi')
    .summary('print the OpenAPI 3.1 document of the HTTP API, or of agents in containers')
    .description(
      "Prints the OpenAPI 3.1 document of an agent's HTTP API, to make clients from. It is the same for every agent: " +
        'the input of a task is any JSON here, and the address is filled in where it is used. Or that of the protocol ' +
        'between an agent in a container of its own and the worker beside it.',
    )
    .addOption(new Option('--of <what>', 'which document').choices(Object.keys(DOCUMENTS)).default('http-api' as const))
    .option('--out <file>', 'where to write it, - for standard output', '-')
    .addHelpText('after', EXAMPLES)
    .action(({ of, out }: { of: keyof typeof DOCUMENTS; out: string }) => {
      const text = JSON.stringify(DOCUMENTS[of](version), null, 2);
      if (out === '-') {
        terminal.out(text);
        return;
      }
      try {
        writeFileSync(out, `${text}\n`);
      } catch (error) {
        terminal.err(`could not write ${out}: ${error instanceof Error ? error.message : error}`);
        process.exitCode = ExitCode.COULD_NOT_RUN;
      }
    });
}
