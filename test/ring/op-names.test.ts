import t from 'tap';
import * as abi from '../../src/ring/abi/io-uring.js';
import { nameOf, type OpName, opcodeOf } from '../../src/ring/abi/op-names.js';

t.test('each operation has the name of its constant', async t => {
  for (let opcode = 0; opcode < abi.OP_LAST; opcode++) {
    const name = nameOf(opcode);
    t.equal((abi as unknown as Record<string, number>)[`OP_${name.toUpperCase()}`], opcode, name);
    t.equal(opcodeOf(name as OpName), opcode);
  }
});

t.test('an operation of a newer kernel is named by its number', async t => {
  t.equal(nameOf(abi.OP_LAST), `op ${abi.OP_LAST}`);
});
