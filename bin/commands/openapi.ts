import { writeFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { ExitCode, TERMINAL, type Terminal } from './command-line';

const HELP = `
Examples:
  $ npx cdk-agent-lanes openapi --out openapi.json
  $ npx cdk-agent-lanes openapi | jq '.paths | keys'
  $ npx cdk-agent-lanes openapi --of agent-protocol --out agent-protocol.json

Exit codes:
  0  printed, or written to the file
  2  the command line is wrong
  3  the file could not be written`;

const DOCUMENT_NAMES = ['http-api', 'agent-protocol'] as const;

/**
 * `openapi`: prints the OpenAPI document of the HTTP API, or of the protocol that agents in containers speak.
 *
 * @param version of the package: also the version of the document
 */
export function openApiCommand(version: string, terminal: Terminal = TERMINAL): Command {
  return new Command('openapi')
    .summary('print the OpenAPI 3.1 document of the HTTP API, or of the agent protocol')
    .description(
      "Prints the OpenAPI 3.1 document of an agent's HTTP API, from which clients can be generated. The document is the " +
        'same for every agent: it accepts any JSON as the input of a task, and the client fills in the address. ' +
        'With --of agent-protocol: the protocol between a worker and an agent in its own container.',
    )
    .addOption(new Option('--of <document>', 'document to print').choices(DOCUMENT_NAMES).default('http-api' as const))
    .option('--out <file>', 'file to write, - for standard output', '-')
    .addHelpText('after', HELP)
    .action(({ of, out }: { of: (typeof DOCUMENT_NAMES)[number]; out: string }) => {
      const text = JSON.stringify(documentOf(of, version), null, 2);
      if (out === '-') {
        terminal.out(text);
        return;
      }
      try {
        writeFileSync(out, `${text}\n`);
      } catch (error) {
        terminal.err(`could not write ${out}: ${error instanceof Error ? error.message : error}`);
        process.exitCode = ExitCode.FAILED;
      }
    });
}

/** Loaded by the action only: see createProgram(). */
function documentOf(name: (typeof DOCUMENT_NAMES)[number], version: string): unknown {
  switch (name) {
    case 'http-api': {
      const { openApiDocument } = require('../../lib/contract/openapi') as typeof import('../../lib/contract/openapi');
      return openApiDocument(version);
    }
    case 'agent-protocol': {
      const { agentOpenApiDocument } =
        require('../../lib/contract/agent-openapi') as typeof import('../../lib/contract/agent-openapi');
      return agentOpenApiDocument(version);
    }
  }
}
