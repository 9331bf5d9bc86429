/** The URL of a request: what its `Host` and its target say together. RFC 9112, 3.2 and 3.3 */

/** What an authority may be made of, without user information. RFC 3986, 3.2 */
const AUTHORITY = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=%]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?$/;
/** A path and a query that a URL has as they are. */
const PLAIN = /^\/[A-Za-z0-9\-._~!$&()*+,;=:@%/?]*$/;
/** A path that a URL may have otherwise: a segment that begins with a dot, or with one that is encoded. */
const DOTTED = /\/(?:\.|%2e)/i;
const ABSOLUTE = /^(https?:)\/\/([^/?#]*)(.*)$/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the parser refuses most of them already
const NOT_IN_A_TARGET = /[\x00-\x20#\x7f]/;
const BEYOND_ASCII = /[\x80-\xff]/g;

/** How hosts are written in a URL, by what peers call them; null for those that are none. */
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

/** 'http://host:port' for a host; null if it is none. */
function originOf(scheme: string, host: string): string | null {
  // One peer calls it the same each time, and most peers do.
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

/**
 * The URL that a request is for, as `new URL()` writes it; null if host or target are no valid ones. A target in absolute form must name
 * the same host.
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
