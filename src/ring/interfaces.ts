/** Network interfaces by name and index, as IPv6 scopes need them; those of this thread's network namespace. */
import { libc } from './libc.js';

/** The index of an interface; 0 when there is none of that name. */
export function interfaceIndex(name: string): number {
  return name.includes('\0') ? 0 : libc().interfaceIndex(name);
}

/** The name of an interface, or its index as text when it has gone. */
export function interfaceName(index: number): string {
  return libc().interfaceName(index) ?? String(index);
}
