/**
 * Node's permission model (`--permission`) guards what goes through Node. What goes through the ring asks here
 * before, call by call, as `process.permission.drop` may take back what was allowed. Without the flag all of this is
 * one constant.
 */
import { type ErrorDetails, UasyncError } from './errors.js';

type Has = (scope: string, reference?: string) => boolean;

const model = (process as { permission?: { has: Has } }).permission;
const has: Has | undefined = model?.has.bind(model);

/** Whether the model is on: a flag of the process. */
export const guarded = has !== undefined;

/** Whether what is forbidden is reported only. */
const auditOnly =
  guarded && [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ').includes('--permission-audit');

/** Node 26 guards the network too: `--allow-net`. */
const guardsNet = guarded && !auditOnly && process.allowedNodeEnvironmentFlags.has('--allow-net');

const NAMES = { 'fs.read': 'FileSystemRead', 'fs.write': 'FileSystemWrite', net: 'Net' } as const;

/** What may be done: to a path, or at all. */
export type Scope = keyof typeof NAMES;

/** Whether the model allows it; without a path, all of it. True where the model is off. */
export function allows(scope: Scope, path?: string | Uint8Array): boolean {
  if (has === undefined) return true;
  if (path === undefined || typeof path === 'string') return has(scope, path);
  // Node is asked by text. For bytes that are none the answer could be that for another path.
  const text = Buffer.from(path).toString();
  return Buffer.from(text).equals(path) && has(scope, text);
}

/** The error of what the model forbids, as Node words it. */
export function accessDenied(scope: Scope, resource: string): UasyncError {
  const flag = `--allow-${scope.replace('.', '-')}`;
  const error = new UasyncError(
    'ERR_ACCESS_DENIED',
    `Access to this API has been restricted. Use ${flag} to manage permissions.`,
  );
  error.permission = NAMES[scope];
  error.resource = resource;
  return error;
}

/** Throws if the model forbids what Node has no call for. Without a path all of it has to be allowed. */
export function checkAllowed(scope: Scope, path?: string | Uint8Array): void {
  if (!guarded || auditOnly || allows(scope, path)) return;
  throw accessDenied(scope, path === undefined ? '' : Buffer.from(path as Uint8Array).toString());
}

/** Throws if the model forbids the network, which Unix sockets belong to. */
export function checkNet(syscall: string, { address, port, path }: ErrorDetails): void {
  if (!guardsNet || allows('net')) return;
  const error = accessDenied('net', address ?? path ?? '');
  error.syscall = syscall;
  if (address !== undefined) error.address = address;
  if (port !== undefined) error.port = port;
  if (path !== undefined) error.path = path;
  throw error;
}
