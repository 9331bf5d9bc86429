/** uasync/fs: files, with the names and signatures of node:fs/promises. */
export type { PathLike } from './arguments.js';
export type { FileHandle, ReadOptions, WriteOptions } from './file-handle.js';
export { open } from './open.js';
export type { ReadResult, WriteResult } from './transfer.js';
export { type ReadFileOptions, readFile, type WriteFileOptions, writeFile } from './whole-file.js';
