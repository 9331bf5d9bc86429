#!/usr/bin/env node
/** The command `uasync`. */

import { parseArgs, styleText } from 'node:util';
import { examine } from './doctor/examine.js';
import { findings } from './doctor/findings.js';
import { toText } from './doctor/text.js';

const HELP = `uasync doctor [--json]

Says what this machine offers io_uring programs, what of uasync works here, what is slower for lack of
something, and how to fix it. With --json, for machines. The exit code is 1 if something does not work.
`;

function main(): number {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean' },
    },
  });
  const [command, ...rest] = positionals;
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const facts = examine();
  if (values.version) {
    process.stdout.write(`${facts.uasync}\n`);
    return 0;
  }
  if (command !== 'doctor' || rest.length !== 0) {
    process.stderr.write(HELP);
    return 2;
  }
  const found = findings(facts);
  if (values.json) process.stdout.write(`${JSON.stringify({ ...facts, findings: found }, null, 2)}\n`);
  else process.stdout.write(toText(facts, found, colours() ? styleText : (_, text) => text));
  return found.some(({ state }) => state === 'missing') ? 1 : 0;
}

/** no-color.org, and a terminal. */
function colours(): boolean {
  return process.stdout.isTTY === true && !process.env.NO_COLOR;
}

try {
  process.exitCode = main();
} catch (error) {
  if (
    !(error instanceof TypeError) ||
    !String((error as { code?: string }).code).startsWith('ERR_PARSE_ARGS')
  ) {
    throw error;
  }
  process.stderr.write(`${error.message}\n\n${HELP}`);
  process.exitCode = 2;
}
