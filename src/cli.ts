#!/usr/bin/env node
/** The command `uasync`. */

import { parseArgs, styleText } from 'node:util';

const HELP = `uasync doctor [--json]

Reports what loops run on, io_uring or epoll, and why, which io_uring features this machine has, what of uasync works,
what is slower for lack of a feature, and how to fix it. --json prints the report as data. The exit code is 1 if something does not work.
`;

async function main(): Promise<number> {
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
  if (values.version) {
    process.stdout.write(`${(await import('./doctor/examine.js')).version()}\n`);
    return 0;
  }
  if (command !== 'doctor' || rest.length !== 0) {
    process.stderr.write(HELP);
    return 2;
  }
  return doctor(values.json === true);
}

async function doctor(json: boolean): Promise<number> {
  let examined: Awaited<ReturnType<typeof examination>>;
  try {
    examined = await examination();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'EMFILE' && code !== 'ENFILE') throw error;
    report(
      json,
      { available: false, reason: { code, message }, findings: [FEW_DESCRIPTORS] },
      () => FEW_TEXT,
    );
    return 1;
  }
  const { facts, found, toText } = examined;
  report(json, { ...facts, findings: found }, () =>
    toText(facts, found, colours() ? styleText : (_, text) => text),
  );
  return found.some(({ state }) => state === 'missing') ? 1 : 0;
}

/** Needs descriptors, from the loading of the modules on, and there may be none. */
async function examination() {
  const { examine } = await import('./doctor/examine.js');
  const { findings } = await import('./doctor/findings.js');
  const { toText } = await import('./doctor/text.js');
  const facts = await examine();
  return { facts, found: findings(facts), toText };
}

const FEW_DESCRIPTORS = {
  state: 'missing',
  what: 'open files',
  why: 'the limit is too low to load this program',
  fix: 'raise it: ulimit -n 65536, or LimitNOFILE= in systemd',
};
const FEW_TEXT = `✗ ${FEW_DESCRIPTORS.what}: ${FEW_DESCRIPTORS.why}\n  fix: ${FEW_DESCRIPTORS.fix}\n`;

function report(json: boolean, facts: object, text: () => string): void {
  process.stdout.write(json ? `${JSON.stringify(facts, null, 2)}\n` : text());
}

/** Whether to use colours: on a terminal, subject to no-color.org. */
function colours(): boolean {
  return process.stdout.isTTY === true && !process.env.NO_COLOR;
}

try {
  process.exitCode = await main();
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
