/** docs/ring.md names every operation, and every function of liburing, so that it cannot rot. */
import { existsSync, readFileSync } from 'node:fs';
import t from 'tap';
import * as api from 'uasync/ring';
import { Registrations } from '../../src/ring/registered/registrations.js';
import { Message } from '../../src/ring/sqe/message.js';
import { SqeRaw } from '../../src/ring/sqe/raw.js';
import { ROOT } from '../programs.js';
import '../patience.js';

/** Methods that are there for the package itself. */
const INTERNAL = new Set(
  `constructor moveTo retire prep opFlags ioprio addIoprio opcode off bufIndex fileIndex userDataWords bytes path
  addr3 directSlot value64 iovecs timespec register isAccept use widen assertWide data target inheritHow`.split(
    /\s+/,
  ),
);

function methodsOf(prototype: object): string[] {
  const names: string[] = [];
  for (let at = prototype; at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    names.push(...Object.getOwnPropertyNames(at));
  }
  return names.filter(name => !INTERNAL.has(name));
}

t.test('every method of the builder and every registration is in the table', async t => {
  const text = readFileSync(`${ROOT}docs/ring.md`, 'utf8');
  const methods = [...methodsOf(SqeRaw.prototype), ...methodsOf(Registrations.prototype)];
  t.ok(methods.length > 100, `${methods.length} methods`);
  for (const method of methods) t.ok(text.includes(`\`${method}\``), method);
});

/** Rows of the table of liburing's functions: name, names here, test or reason. */
const rows = [
  ...readFileSync(`${ROOT}docs/ring.md`, 'utf8').matchAll(/^\| ([a-z0-9_]+) +\| (.*?) +\| (.*?) +\|$/gm),
].map(([, function_, here, test]) => ({
  name: function_!,
  here: [...here!.matchAll(/`(\w+)`/g)].map(match => match[1]!),
  test: test!,
}));

t.test('what the table of liburing says is there is there, and is tested where it says', async t => {
  const known = new Set([
    ...methodsOf(SqeRaw.prototype),
    ...methodsOf(api.Ring.prototype),
    ...methodsOf(api.BufRing.prototype),
    ...methodsOf(Message.prototype),
    ...Object.keys(api.probe()),
    ...Object.keys(api),
  ]);
  t.ok(rows.length > 200, `${rows.length} functions`);
  for (const { name, here, test } of rows) {
    if (here.length === 0) {
      t.ok(test.length > 0, `${name} is not here for a reason`);
      continue;
    }
    const sources = test.split(' ').map(path => `${ROOT}test/${path}`);
    t.ok(sources.every(existsSync), `${test} exists`);
    const text = sources.map(path => readFileSync(path, 'utf8')).join('');
    for (const ours of here) {
      t.ok(known.has(ours), `${name}: ${ours} is public`);
      t.match(text, new RegExp(`\\b${ours}\\b`), `${name}: ${ours} is tested in ${test}`);
    }
  }
});

const HEADER = process.env.UASYNC_LIBURING_HEADER ?? '/usr/include/liburing.h';

t.test(
  'every function of liburing is in the table',
  { skip: existsSync(HEADER) ? false : `${HEADER} is not installed` },
  async t => {
    const listed = new Set(rows.map(({ name }) => name));
    const header = readFileSync(HEADER, 'latin1');
    const functions = new Set([...header.matchAll(/\bio_uring_([a-z0-9_]+)\s*\(/g)].map(match => match[1]!));
    t.ok(functions.size > 100, `${functions.size} functions`);
    for (const name of functions) t.ok(listed.has(name), name);
  },
);
