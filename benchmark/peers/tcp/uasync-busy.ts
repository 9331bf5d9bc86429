/**
 * The server of `examples/tcp-echo.ts` with `busyPoll`: it does not sleep between messages. `node uasync-busy.js [port]
 * [host]`
 */
import { loop } from 'uasync';

loop({ busyPoll: 1000 });
await import('../../../examples/tcp-echo.js');
