/** Checks of what heads are made of: names and values of fields, and reason phrases. */
import { withCode } from '../../sys/errors/errors.js';

/** The characters of a token. RFC 9110, 5.6.2 */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** The characters of a value: no NUL, CR or LF, and nothing beyond latin1. */
const ASCII_VALUE = /^[\t\x20-\x7e]*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the allowed ones
const VALUE = /^[\x01-\x09\x0b\x0c\x0e-\xff]*$/;
const REASON = /^[\t\x20-\x7e\x80-\xff]*$/;
const BLANKS_AROUND = /^[\t\n\r ]+|[\t\n\r ]+$/g;

/** Checked names, and their lower-case forms. */
const known = new Map<string, string>();
const KNOWN_MAX = 1024;

function refuse(what: string, text: string): never {
  const shown = text.length > 64 ? `${text.slice(0, 64)}...` : text;
  throw withCode(
    new TypeError(`${JSON.stringify(shown)} is an invalid header ${what}.`),
    'ERR_INVALID_ARG_VALUE',
  );
}

/** A name in lower case. */
export function checkName(name: string): string {
  const text = `${name}`;
  let lower = known.get(text);
  if (lower === undefined) {
    if (!TOKEN.test(text)) refuse('name', text);
    lower = text.toLowerCase();
    if (known.size < KNOWN_MAX) known.set(text, lower);
  }
  return lower;
}

/** A value without blanks around it. @throws TypeError if it cannot be sent. */
export function checkValue(value: string): string {
  let text = `${value}`;
  if (text.length !== 0 && (text.charCodeAt(0) <= 0x20 || text.charCodeAt(text.length - 1) <= 0x20)) {
    text = text.replace(BLANKS_AROUND, '');
  }
  if (text.length <= SHORT_MAX ? isPlain(text) : ASCII_VALUE.test(text)) return text;
  if (!VALUE.test(text)) refuse('value', text);
  latin1Seen = true;
  return text;
}

/** Up to this size a loop is faster than a regular expression. */
const SHORT_MAX = 32;

/** Whether all of it is visible ASCII, or a space. */
function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}

let latin1Seen = false;

/** Whether any header value has had characters beyond ASCII: until then heads need no check. */
export function isLatin1Seen(): boolean {
  return latin1Seen;
}

/** A reason phrase. RFC 9112, 4 @throws TypeError */
export function checkReason(text: string): string {
  const reason = `${text}`;
  if (!ASCII_VALUE.test(reason)) {
    if (!REASON.test(reason)) throw withCode(new TypeError('Invalid statusText'), 'ERR_INVALID_ARG_VALUE');
    latin1Seen = true;
  }
  return reason;
}
