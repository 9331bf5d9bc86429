/**
 * The checks of node:net. What they need takes milliseconds to load and to compile, so the addresses that most servers
 * bind to are told without it.
 */
type Net = Pick<typeof import('node:net'), 'isIP' | 'isIPv4' | 'isIPv6'>;

let loaded: Net | undefined;

function net(): Net {
  loaded ??= process.getBuiltinModule('node:net') as Net;
  return loaded;
}

/** 4 or 6 for an address of that version, else 0. */
export function isIP(text: string): number {
  if (isCommonIPv6(text)) return 6;
  return isCommonIPv4(text) ? 4 : net().isIP(text);
}

export function isIPv4(text: string): boolean {
  return isCommonIPv4(text) || (!isCommonIPv6(text) && net().isIPv4(text));
}

export function isIPv6(text: string): boolean {
  return isCommonIPv6(text) || (!isCommonIPv4(text) && net().isIPv6(text));
}

function isCommonIPv4(text: string): boolean {
  return text === '127.0.0.1' || text === '0.0.0.0';
}

function isCommonIPv6(text: string): boolean {
  return text === '::' || text === '::1';
}
