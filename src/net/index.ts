/** uasync/net: TCP, UDP and Unix sockets that you await. */
export type { WaitOptions } from '../loop/waiting/waiter.js';
export type { InetAddress, SocketAddress, UnixAddress } from '../sys/socket/sockaddr.js';
export {
  type RestartOptions,
  type ServeOptions,
  type StopOptions,
  serveOnThreads,
  type ThreadCrash,
  type ThreadServer,
  type ThreadStart,
  type ThreadStats,
} from '../threads/serve-on-threads.js';
export type { ThreadContext } from '../threads/thread-context.js';
export type { IPFamily } from './address/resolve.js';
export type { OutgoingDatagram, SendOptions } from './datagram/addressing.js';
export type { PacketInfo, PacketOptions } from './datagram/ancillary.js';
export { type SendFailure, SendManyError } from './datagram/batch.js';
export { type BindOptions, bind } from './datagram/bind.js';
export type { DatagramSocket, ReceiveManyOptions } from './datagram/datagram-socket.js';
export type { Datagram } from './datagram/receiver.js';
export { listen } from './listen/listen.js';
export type { Listener } from './listen/listener.js';
export type { ListenOptions } from './listen/options.js';
export { openPipe, type Pipe, type PipeOptions, stderr, stdin, stdout } from './pipe/pipe.js';
export type { KeepAlive } from './socket/options.js';
export type { ReceivedFds } from './socket/received-fds.js';
export type { TcpInfo } from './socket/tcp-info.js';
export { type ConnectOptions, connect } from './stream/connect.js';
export type { Connection } from './stream/connection.js';
export type { ReadUntilOptions } from './stream/delimiter.js';
export type { ConnectionDuplex, ToDuplexOptions } from './stream/duplex.js';
export type { LinesOptions } from './stream/lines.js';
export { type OpenConnectionOptions, openConnection } from './stream/open-connection.js';
export type { PipeToOptions } from './stream/pipe-to.js';
export type { SendFileOptions } from './stream/send-file.js';
export type { WriteData, WritePart } from './stream/write-data.js';
