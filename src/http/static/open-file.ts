/** A file that is open already. It is read by position, and stays open. */
export interface OpenFile {
  /** Its descriptor. */
  readonly fd: number;
  /** What it is, how large, and when it was changed. */
  stat(): Promise<{ isFile(): boolean; size: number; mtimeMs: number }>;
  /** Reads at a position. */
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
}
