/** Loops of users who may lock little memory: rings and registered buffers count. */
import t from 'tap';
import { ringsAreCounted } from '../../src/ring/setup/locked-memory.js';
import { foundLocked, noOrdinaryUser, startLocked } from '../ordinary-user.js';
import { built } from '../programs.js';
import '../patience.js';

const MIB = 1024 * 1024;

const skip = ringsAreCounted() ? noOrdinaryUser() : 'this kernel does not count rings as locked memory';

const PROGRAM = built('test/fixtures/locked-memory.js');

t.test('64 loops of one user in 8 MiB, with all that they register', { skip }, async t => {
  const found = await foundLocked<{ entries: number[]; indices: number[]; pinned: number }>(
    8 * MIB,
    PROGRAM,
    'many loops',
  );
  t.equal(found.entries.length, 64);
  t.ok(
    found.entries.every(entries => entries === 128),
    'each of the usual size',
  );
  t.equal(found.pinned, 256, 'KiB of registered buffers, no more than a 32nd');
  t.equal(found.indices.filter(index => index >= 0).length, 1);
  t.equal(found.indices.length, 64 * 8, 'the others go on with blocks that are not registered');
});

t.test('many processes of one user at a time', { skip }, async t => {
  // As 20 of them have in 8 MiB. Each waits until all have their loops.
  const count = 5;
  const processes = Array.from({ length: count }, () => startLocked((8 * MIB * count) / 20, PROGRAM, 'one'));
  t.same(await Promise.all(processes.map(({ firstLine }) => firstLine)), Array(count).fill('up'));
  t.same(await Promise.all(processes.map(({ end }) => end())), Array(count).fill(0));
});
