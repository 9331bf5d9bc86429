/** The checks of node:net, which is loaded for the first address: with its sockets and streams it takes a while. */
type Net = Pick<typeof import('node:net'), 'isIP' | 'isIPv4' | 'isIPv6'>;

let loaded: Net | undefined;

function net(): Net {
  loaded ??= process.getBuiltinModule('node:net') as Net;
  return loaded;
}

/** 4 or 6 for an address of that version, else 0. */
export function isIP(text: string): number {
  return net().isIP(text);
}

export function isIPv4(text: string): boolean {
  return net().isIPv4(text);
}

export function isIPv6(text: string): boolean {
  return net().isIPv6(text);
}
