/** All that uasync/fs has. */
export type { PathLike } from 'node:fs';
export type { ChunkOptions } from './chunks.js';
export type { Content, ReadFileOptions, WriteFileOptions } from './content.js';
export type { CopyOptions } from './copy.js';
export type {
  Advice,
  FileHandle,
  ReadVResult,
  WriteVResult,
} from './file-handle.js';
export type { ReadStreamOptions, WriteStreamOptions } from './handle-streams.js';
export { access, readlink, realpath } from './lookups.js';
export { type ManyOptions, readMany, statMany } from './many.js';
export * from './node-calls.js';
export { open } from './open.js';
export { link, lstat, mkdir, rename, rmdir, stat, symlink, unlink } from './path-calls.js';
export type { StatOptions } from './stat-options.js';
export type { ReadResult, WriteResult } from './transfer.js';
export type { ReadOptions, WriteOptions } from './transfer-arguments.js';
export { appendFile, readFile, truncate, writeFile } from './whole-file.js';
export { getxattr, type SetXattrOptions, setxattr } from './xattr.js';
