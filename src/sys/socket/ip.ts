/**
 * The checks of node:net. What they need takes milliseconds to load and to compile, so the addresses that servers bind
 * to by default are told without it.
 */
type Net = Pick<typeof import('node:net'), 'isIP' | 'isIPv4' | 'isIPv6'>;

let loaded: Net | undefined;

function net(): Net {
  loaded ??= process.getBuiltinModule('node:net') as Net;
  return loaded;
}

/** 4 or 6 for an address of that version, else 0. */
export function isIP(text: string): number {
  return isCommonIPv6(text) ? 6 : net().isIP(text);
}

export function isIPv4(text: string): boolean {
  return !isCommonIPv6(text) && net().isIPv4(text);
}

export function isIPv6(text: string): boolean {
  return isCommonIPv6(text) || net().isIPv6(text);
}

function isCommonIPv6(text: string): boolean {
  return text === '::' || text === '::1';
}
