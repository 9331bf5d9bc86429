/** docs/errors.md has every code that the sources use, and no other. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type ErrorCode, loop } from 'uasync';
import { errorCodes, errorTable } from './error-table.js';
import { checkLeaks } from './harness.js';
import { ROOT } from './programs.js';

checkLeaks();

/** Codes that sources mention and no error has: what Node's parser of arguments and the doctor say. */
const OTHERS = ['ERR_PARSE_ARGS', 'ERR_DLOPEN_DISABLED', 'ERR_UNKNOWN'];

function sources(): [file: string, text: string][] {
  return readdirSync(`${ROOT}src`, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts') && name !== 'sys/errors/error-codes.ts')
    .map(name => [name, readFileSync(join(ROOT, 'src', name), 'utf8')]);
}

/** What is quoted in the sources and looks like this. */
function quoted(pattern: RegExp): string[] {
  const found = sources().flatMap(([, text]) => [...text.matchAll(pattern)].map(match => match[1]!));
  return [...new Set(found)].sort();
}

t.test('the table has the codes of the sources', async t => {
  const used = quoted(/'((?:ERR|ABORT)_[A-Z_]+)'/g).filter(code => !OTHERS.includes(code));
  t.ok(used.length > 20, `${used.length} codes`);
  const described = errorCodes();
  t.same(described.map(({ code }) => code).sort(), used);
  for (const { code, meaning, cure } of described) t.ok(meaning.length > 10 && cure.length > 5, code);
});

t.test('docs/errors.md is up to date: npm run reference writes it', async t => {
  t.equal(readFileSync(`${ROOT}docs/errors.md`, 'utf8'), errorTable());
});

t.test('it has the warnings too', async t => {
  const text = errorTable();
  // These are variables of the environment.
  const variables = ['UASYNC_TRACE', 'UASYNC_FAULTS'];
  for (const code of quoted(/'(UASYNC_[A-Z_]+)'/g).filter(code => !variables.includes(code))) {
    t.match(text, code);
  }
});

t.test('the union of codes has them', async t => {
  const code: ErrorCode = 'ERR_LOOP_EXISTS';
  t.throws(() => loop({}), { code });
});
