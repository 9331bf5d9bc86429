/** `NODE_DEBUG=uasync`: one line for each start, completion and cancel of an operation. */
import { debuglog } from 'node:util';
import { errnoName } from '../../sys/errors/errors.js';
import type { Pending } from './pending.js';

const all = debuglog('uasync');
const logs = {
  loop: debuglog('uasync:loop'),
  net: debuglog('uasync:net'),
  fs: debuglog('uasync:fs'),
};

/** The layer of operations that are not on sockets. */
const LAYERS: Record<string, keyof typeof logs> = {
  Operation: 'loop',
  Timer: 'loop',
  Channel: 'loop',
  File: 'fs',
};

/** Whether anything is traced, which is fixed when the process starts. */
export const tracing: boolean = all.enabled || Object.values(logs).some(log => log.enabled);

/** Operations that have started and are not reported yet: their details are filled in after the start. */
const started: { operation: Pending; slot: number }[] = [];

function say(operation: Pending, line: string): void {
  const log = all.enabled ? all : logs[LAYERS[operation.kind] ?? 'net'];
  log('%s', line);
}

function describe(operation: Pending, slot: number): string {
  const { subject, label } = operation;
  const fd = subject !== null && subject.fd >= 0 ? ` fd ${subject.fd}` : '';
  return `#${slot} ${operation.kind}${fd} ${label}`;
}

/** Reports the operations that have started so far. */
export function traceStarts(): void {
  for (const { operation, slot } of started.splice(0)) say(operation, `start ${describe(operation, slot)}`);
}

export function traceStart(operation: Pending): void {
  started.push({ operation, slot: operation.slot });
}

export function traceCancel(operation: Pending): void {
  traceStarts();
  say(operation, `cancel ${describe(operation, operation.slot)}`);
}

/** @param more whether the operation continues after this completion. */
export function traceEnd(operation: Pending, slot: number, res: number, more: boolean): void {
  traceStarts();
  const result = res < 0 ? errnoName(res) : res;
  say(operation, `${more ? 'event' : 'end'} ${describe(operation, slot)}: ${result}`);
}
