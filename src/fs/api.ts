/**
 * The public API of uasync/fs. Functions that Node has too have Node's types, of any version: they are accepted
 * wherever Node's are.
 */
import type { PathLike } from 'node:fs';
import type { FileHandle as NodeFileHandle } from 'node:fs/promises';
import type { FileHandle as OwnFileHandle } from './handle/file-handle.js';
import { open as openFile } from './handle/open.js';
import * as nodeCalls from './node-calls.js';
import * as lookups from './paths/lookups.js';
import * as pathCalls from './paths/path-calls.js';
import { cp as copyTree } from './trees/cp.js';
import { readdir as listDirectory } from './trees/readdir.js';
import { rm as remove } from './trees/rm.js';
import * as wholeFile from './whole/whole-file.js';

export type { PathLike } from 'node:fs';
export type { Content, ReadFileOptions, WriteFileOptions } from './content.js';
export type { ChunkOptions } from './handle/chunks.js';
export type { CopyOptions } from './handle/copy.js';
export type { Advice } from './handle/file-handle.js';
export type { ReadStreamOptions, WriteStreamOptions } from './handle/handle-streams.js';
export type { ReadResult, ReadVResult, WriteResult, WriteVResult } from './handle/transfer.js';
export type { ReadOptions, WriteOptions } from './handle/transfer-arguments.js';
export type { StatOptions } from './paths/stat-options.js';
export { getxattr, type SetXattrOptions, setxattr } from './paths/xattr.js';
export { type ManyOptions, readMany, statMany } from './whole/many.js';

type NodeFs = typeof import('node:fs/promises');
/** The type of a function of Node's, or `Else` if it is newer than the types. */
type OfNode<Name extends string, Else = never> = Name extends keyof NodeFs ? NodeFs[Name] : Else;

/** The methods of a handle that Node does not have. */
type Beyond = 'chunks' | 'copyTo' | 'directAlignment' | 'fadvise' | 'fallocate' | 'getxattr' | 'setxattr';

/** An open file: Node's `FileHandle`, and more. Its calls accept what ours do, for instance views of any kind. */
export interface FileHandle extends NodeFileHandle, Pick<OwnFileHandle, Beyond> {
  appendFile: NodeFileHandle['appendFile'] & OwnFileHandle['appendFile'];
  read: NodeFileHandle['read'] & OwnFileHandle['read'];
  readFile: NodeFileHandle['readFile'] & OwnFileHandle['readFile'];
  stat: NodeFileHandle['stat'] & OwnFileHandle['stat'];
  write: NodeFileHandle['write'] & OwnFileHandle['write'];
  writeFile: NodeFileHandle['writeFile'] & OwnFileHandle['writeFile'];
}

type Open = (path: PathLike, flags?: string | number, mode?: string | number) => Promise<FileHandle>;

/**
 * Opens a file, as `fs.promises.open`.
 * @param flags 'r' (the default), 'w', 'a+' … or O_ values of `fs.constants`.
 * @param mode the permissions of a new file, before the umask; default 0o666.
 */
export const open: Open = openFile as unknown as Open;

const calls = { ...nodeCalls, ...lookups, ...pathCalls, ...wholeFile };
const typed = calls as unknown as NodeFs;

export const access: OfNode<'access'> = typed.access;
export const appendFile: OfNode<'appendFile'> & typeof wholeFile.appendFile = wholeFile.appendFile as never;
export const chmod: OfNode<'chmod'> = typed.chmod;
export const chown: OfNode<'chown'> = typed.chown;
export const constants: OfNode<'constants'> = typed.constants;
export const copyFile: OfNode<'copyFile'> = typed.copyFile;
export const cp: OfNode<'cp'> = copyTree;
export const lchmod: OfNode<'lchmod'> = typed.lchmod;
export const lchown: OfNode<'lchown'> = typed.lchown;
export const link: OfNode<'link'> = typed.link;
export const lstat: OfNode<'lstat'> & typeof pathCalls.lstat = pathCalls.lstat as never;
export const lutimes: OfNode<'lutimes'> = typed.lutimes;
export const mkdir: OfNode<'mkdir'> & typeof pathCalls.mkdir = pathCalls.mkdir as never;
export const mkdtemp: OfNode<'mkdtemp'> = typed.mkdtemp;
export const opendir: OfNode<'opendir'> = typed.opendir;
export const readFile: OfNode<'readFile'> & typeof wholeFile.readFile = wholeFile.readFile as never;
export const readdir: OfNode<'readdir'> = listDirectory as never;
export const readlink: OfNode<'readlink'> = typed.readlink;
export const realpath: OfNode<'realpath'> = typed.realpath;
export const rename: OfNode<'rename'> = typed.rename;
export const rm: OfNode<'rm'> = remove;
export const rmdir: OfNode<'rmdir'> = typed.rmdir;
export const stat: OfNode<'stat'> & typeof pathCalls.stat = pathCalls.stat as never;
export const statfs: OfNode<'statfs'> = typed.statfs;
export const symlink: OfNode<'symlink'> = typed.symlink;
export const truncate: OfNode<'truncate'> = typed.truncate;
export const unlink: OfNode<'unlink'> = typed.unlink;
export const utimes: OfNode<'utimes'> = typed.utimes;
export const watch: OfNode<'watch'> = typed.watch;
export const writeFile: OfNode<'writeFile'> & typeof wholeFile.writeFile = wholeFile.writeFile as never;
/** From Node 22; undefined before. */
export const glob: OfNode<'glob', typeof nodeCalls.glob> = calls.glob;
/** From Node 24; undefined before. */
export const mkdtempDisposable: OfNode<'mkdtempDisposable', typeof nodeCalls.mkdtempDisposable> =
  calls.mkdtempDisposable;
