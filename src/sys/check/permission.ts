/**
 * Node's permission model (`--permission`) checks what goes through Node. Operations that go through the ring check
 * here first, call by call, because `process.permission.drop` may revoke a permission. Without the flag all of this is
 * one constant.
 */
import { type ErrorDetails, UasyncError } from '../errors/errors.js';

type Has = (scope: string, reference?: string) => boolean;

const model = (process as { permission?: { has: Has } }).permission;
const has: Has | undefined = model?.has.bind(model);

/** Whether the model is on: a flag of the process. */
export const guarded = has !== undefined;

/** Whether denied accesses are only reported. */
const auditOnly =
  guarded && [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ').includes('--permission-audit');

/** Node 26 restricts the network too: `--allow-net`. */
const guardsNet = guarded && !auditOnly && process.allowedNodeEnvironmentFlags.has('--allow-net');

const NAMES = { 'fs.read': 'FileSystemRead', 'fs.write': 'FileSystemWrite', net: 'Net' } as const;

/** The kinds of access: to a path, or in general. */
type Scope = keyof typeof NAMES;

/** Whether the model allows it; without a path, whether it allows all of it. True where the model is off. */
export function allows(scope: Scope, path?: string | Uint8Array): boolean {
  if (has === undefined) return true;
  if (path === undefined || typeof path === 'string') return has(scope, path);
  // Node takes text. For bytes that are not UTF-8, it could answer for another path.
  const text = Buffer.from(path).toString();
  return Buffer.from(text).equals(path) && has(scope, text);
}

/** The error of a denied access, with Node's message. */
function accessDenied(scope: Scope, resource: string): UasyncError {
  const flag = `--allow-${scope.replace('.', '-')}`;
  const error = new UasyncError(
    'ERR_ACCESS_DENIED',
    `Access to this API has been restricted. Use ${flag} to manage permissions.`,
  );
  error.permission = NAMES[scope];
  error.resource = resource;
  return error;
}

/** Throws if the model denies an operation that Node has no call for. Without a path all of it must be allowed. */
export function checkAllowed(scope: Scope, path?: string | Uint8Array): void {
  if (!guarded || auditOnly || allows(scope, path)) return;
  throw accessDenied(scope, path === undefined ? '' : Buffer.from(path as Uint8Array).toString());
}

/** Throws if the model denies the network, which includes Unix sockets. */
export function checkNet(syscall: string, { address, port, path }: ErrorDetails): void {
  if (!guardsNet || allows('net')) return;
  const error = accessDenied('net', address ?? path ?? '');
  error.syscall = syscall;
  if (address !== undefined) error.address = address;
  if (port !== undefined) error.port = port;
  if (path !== undefined) error.path = path;
  throw error;
}
