/** uasync in batches: all datagrams of a turn are answered together. `node udp-many.js [port]` */
import { bind, type InetAddress } from 'uasync/net';

const [port = '7007'] = process.argv.slice(2);
const ROOM = 1 << 22;

const socket = await bind({
  port: Number(port),
  host: '127.0.0.1',
  recvBufferSize: ROOM,
  sendBufferSize: ROOM,
});
console.log(`listening on 127.0.0.1:${(socket.address as InetAddress).port}`);
for (;;) await socket.sendMany(await socket.recvMany()).catch(() => {});
