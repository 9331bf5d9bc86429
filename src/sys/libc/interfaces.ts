/** Network interfaces by name and index, for IPv6 scopes, in this thread's network namespace. */
import { libc } from './libc.js';

/** The index of an interface; 0 if there is none with that name. */
export function interfaceIndex(name: string): number {
  return name.includes('\0') ? 0 : libc().interfaceIndex(name);
}

/** The name of an interface, or its index as text if it no longer exists. */
export function interfaceName(index: number): string {
  return libc().interfaceName(index) ?? String(index);
}
