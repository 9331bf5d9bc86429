/** The minimum: one operation on a ring of its own. `node dist/examples/ring/hello.js` */
import { Ring } from 'uasync/ring';

const STDOUT = 1;

const ring = new Ring(2);
ring.getSqe()!.write(STDOUT, Buffer.from('Hello, world!\n')).userData(1);
ring.submit(1); // submits, and waits for one completion
const [cqe] = ring.copyCqes();
if (cqe!.res < 0) process.exitCode = -cqe!.res;
ring.close();
