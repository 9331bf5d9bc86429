/** uasync/net: TCP, UDP and Unix sockets that you await. */
export type { WaitOptions } from '../loop/waiter.js';
export type { InetAddress, SocketAddress, UnixAddress } from '../ring/sockaddr.js';
export type { PacketInfo, PacketOptions } from './ancillary.js';
export { type BindOptions, bind } from './bind.js';
export { type ConnectOptions, connect } from './connect.js';
export type { Connection } from './connection.js';
export type { OutgoingDatagram, SendOptions } from './datagram-addressing.js';
export { type SendFailure, SendManyError } from './datagram-batch.js';
export type { Datagram } from './datagram-receiver.js';
export type { DatagramSocket, ReceiveManyOptions } from './datagram-socket.js';
export type { ReadUntilOptions } from './delimiter.js';
export type { ConnectionDuplex, ToDuplexOptions } from './duplex.js';
export type { LinesOptions } from './lines.js';
export { type ListenOptions, listen } from './listen.js';
export type { Listener } from './listener.js';
export { type OpenConnectionOptions, openConnection } from './open-connection.js';
export type { KeepAlive } from './options.js';
export { openPipe, type Pipe, type PipeOptions, stderr, stdin, stdout } from './pipe.js';
export type { PipeToOptions } from './pipe-to.js';
export type { ReceivedFds } from './received-fds.js';
export type { IPFamily } from './resolve.js';
export type { SendFileOptions } from './send-file.js';
export {
  type RestartOptions,
  type ServeOptions,
  type StopOptions,
  serveOnThreads,
  type ThreadCrash,
  type ThreadServer,
  type ThreadStart,
  type ThreadStats,
} from './serve-on-threads.js';
export type { TcpInfo } from './tcp-info.js';
export type { ThreadContext } from './thread-context.js';
export type { WriteData, WritePart } from './write-data.js';
