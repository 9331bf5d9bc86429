import type { WaitOptions } from '../../loop/waiting/waiter.js';
import type { WriteData } from './write-data.js';

/** What the streams of Node and of the web use of the connection below them. */
export interface ByteStream {
  read(options?: WaitOptions): Promise<Buffer | null>;
  write(data: WriteData): Promise<void>;
  shutdown(): Promise<void>;
  close(): Promise<void>;
  reset(): Promise<void>;
}
