/** The checks of addresses, which know some without node:net. */
import net from 'node:net';
import t from 'tap';
import { isIP, isIPv4, isIPv6 } from '../../src/sys/socket/ip.js';

for (const text of [
  '127.0.0.1',
  '0.0.0.0',
  '::',
  '::1',
  '10.0.0.255',
  'fe80::1%lo',
  '127.0.0.1 ',
  '0.0.0',
  'localhost',
  '',
]) {
  t.test(JSON.stringify(text), t => {
    t.equal(isIP(text), net.isIP(text));
    t.equal(isIPv4(text), net.isIPv4(text));
    t.equal(isIPv6(text), net.isIPv6(text));
    t.end();
  });
}
