/** An open file. It is read by position, and stays open. */
export interface OpenFile {
  /** Its descriptor. */
  readonly fd: number;
  /** Its type, its size, and its modification time. */
  stat(): Promise<{ isFile(): boolean; size: number; mtimeMs: number }>;
  /** Reads at a position. */
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
}
