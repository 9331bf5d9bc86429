/** docs/ring.md names every operation, modifier and registration, so that it cannot rot. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { Registrations } from '../../src/ring/registrations.js';
import { Sqe } from '../../src/ring/sqe/index.js';
import { ROOT } from '../programs.js';

/** Methods that are there for the package itself. */
const INTERNAL = new Set(
  `constructor moveTo retire prep opFlags ioprio addIoprio opcode off bufIndex fileIndex userDataWords bytes path
  addr3 directSlot value64 iovecs timespec register isAccept`.split(/\s+/),
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
  const methods = [...methodsOf(Sqe.prototype), ...methodsOf(Registrations.prototype)];
  t.ok(methods.length > 100, `${methods.length} methods`);
  for (const method of methods) t.ok(text.includes(`\`${method}\``), method);
});
