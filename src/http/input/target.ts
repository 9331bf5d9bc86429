/** The URL of a request, from its `Host` and its target. RFC 9112, 3.2 and 3.3 */

/** The characters of an authority without user information. RFC 3986, 3.2 */
const AUTHORITY = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=%]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?$/;
/** A path and a query that a URL keeps unchanged. */
const PLAIN = /^\/[A-Za-z0-9\-._~!$&()*+,;=:@%/?]*$/;
/** A path that a URL may change: a segment starts with a dot, possibly encoded. */
const DOTTED = /\/(?:\.|%2e)/i;
const ABSOLUTE = /^(https?:)\/\/([^/?#]*)(.*)$/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the parser refuses most of them already
const NOT_IN_A_TARGET = /[\x00-\x20#\x7f]/;
const BEYOND_ASCII = /[\x80-\xff]/g;

/** The URL form of hosts, by the names that peers use; null for invalid ones. */
const hosts = new Map<string, string | null>();
const HOSTS_MAX = 512;

let lastScheme = '';
let lastHost = '';
let lastOrigin: string | null = null;

function percent(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).toUpperCase()}`;
}

function parse(url: string): URL | null {
  return URL.canParse(url) ? new URL(url) : null;
}

/** 'http://host:port' for a host; null if it is invalid. */
function originOf(scheme: string, host: string): string | null {
  // A peer uses the same name each time, and so do most peers.
  if (host !== lastHost || scheme !== lastScheme) {
    lastOrigin = lookUp(scheme, host);
    lastHost = host;
    lastScheme = scheme;
  }
  return lastOrigin;
}

function lookUp(scheme: string, host: string): string | null {
  const name = `${scheme}//${host}`;
  let origin = hosts.get(name);
  if (origin === undefined) {
    const url = AUTHORITY.test(host) ? parse(`${name}/`) : null;
    origin = url === null || url.host === '' ? null : `${url.protocol}//${url.host}`;
    if (hosts.size >= HOSTS_MAX) hosts.clear();
    hosts.set(name, origin);
  }
  return origin;
}

/** The authority of a target in absolute form. HTTP/1.0 has no `Host` beside it. */
export function authorityIn(target: string): string | undefined {
  return ABSOLUTE.exec(target)?.[2];
}

/**
 * The URL of a request, as `new URL()` writes it; null if host or target is invalid. A target in absolute form must
 * have the same host.
 * @param scheme 'http:' or 'https:'.
 */
export function requestUrl(scheme: string, host: string, target: string): string | null {
  const origin = originOf(scheme, host);
  if (origin === null) return null;
  if (target.charCodeAt(0) === 0x2f) {
    if (PLAIN.test(target) && !DOTTED.test(target)) return origin + target;
    return longWay(origin, target);
  }
  const [, ownScheme, authority, rest] = ABSOLUTE.exec(target) ?? [];
  if (rest === undefined || originOf(ownScheme!.toLowerCase(), authority!) === null) return null;
  if (originOf(scheme, authority!) !== origin) return null;
  return longWay(origin, rest.startsWith('/') ? rest : `/${rest}`);
}

function longWay(origin: string, target: string): string | null {
  if (NOT_IN_A_TARGET.test(target)) return null;
  return parse(origin + target.replace(BEYOND_ASCII, percent))?.href ?? null;
}
