/** NOPs on a Ring, in batches on a ring of that size. `node uasync-nop.js BATCH` */
import { Ring } from 'uasync/ring';
import { serveRounds } from '../worker.js';

const batch = Number(process.argv[2] ?? 64);
const ring = new Ring(batch);
let done = 0;
const sink = {
  onCqe(): void {
    done++;
  },
};

await serveRounds(round => {
  done = 0;
  do {
    // The clock is read once per 64 K operations.
    for (const until = done + 65536; done < until; ) {
      for (let i = 0; i < batch; i++) ring.getSqe()!.nop().userData(i);
      ring.submitAndGetEvents();
      ring.reap(sink);
    }
  } while (!round.over);
  round.ops = done;
});
ring.close();
