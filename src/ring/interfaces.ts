/** Network interfaces by name and index, as IPv6 scopes need them. */
import { readdirSync, readFileSync } from 'node:fs';

const SYSFS = '/sys/class/net';

function indexOf(name: string): number {
  try {
    return Number(readFileSync(`${SYSFS}/${name}/ifindex`, 'latin1'));
  } catch {
    return 0;
  }
}

/** The index of an interface; 0 when there is none of that name. Like if_nametoindex(3). */
export function interfaceIndex(name: string): number {
  return name.includes('/') ? 0 : indexOf(name);
}

/** The name of an interface, or its index as text when it has gone. Like if_indextoname(3). */
export function interfaceName(index: number): string {
  try {
    return readdirSync(SYSFS).find(name => indexOf(name) === index) ?? String(index);
  } catch {
    return String(index);
  }
}
