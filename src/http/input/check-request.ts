/** The requirements for a request to be served; others are answered with a status. RFC 9110 and 9112 */

import { CONTINUE, type Head } from './head.js';
import type { Limits } from './limits.js';
import type { Parser } from './llhttp.js';

/** A complete or partial method. */
const METHOD = /^(?:\r\n)*[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}(?: |$)/;
const OTHER_VERSION = /^(?:\r\n)*\S+ +\S+ +HTTP\/(?!1\.[01])\d/;
/** Methods that a `Request` cannot have. */
const REFUSED_METHODS = new Set(['CONNECT', 'TRACE']);

/** The size of a head without the line ends after it, of which some may have arrived. */
function sizeOf(text: string): number {
  return text.replace(/[\r\n]{1,4}$/, '').length;
}

/** The status for a complete or partial head: 0 if it is not too large. */
export function sizeStatus(parser: Parser, limits: Limits): number {
  const { text, spansEnd, urlStart, urlEnd } = parser;
  if (text.length > limits.maxHeaderSize && sizeOf(text) > limits.maxHeaderSize) {
    // Most of it is the first line.
    return urlStart < 0 || urlEnd - urlStart > limits.maxHeaderSize / 2 ? 414 : 431;
  }
  return spansEnd > limits.maxHeaders * 4 ? 431 : 0;
}

/** The status for the parser's refusal. */
export function errorStatus(parser: Parser, from: string): number {
  const line = parser.text + from;
  switch (parser.error) {
    case 'HPE_INVALID_METHOD':
      return METHOD.test(line) ? 501 : 400;
    case 'HPE_PAUSED_H2_UPGRADE':
      return 505;
    case 'HPE_INVALID_VERSION':
      return OTHER_VERSION.test(line) ? 505 : 400;
    default:
      return 400;
  }
}

/** The status for a parsed head: 0 if it can be served. */
export function headStatus(head: Head, limits: Limits): number {
  if (head.version !== 11 && head.version !== 10) return 505;
  if (!head.isSingleSpaced) return 400;
  if (head.hosts > 1 || (head.hosts === 0 && head.version === 11)) return 400;
  if (REFUSED_METHODS.has(head.method)) return 501;
  const { transferEncoding } = head;
  if (transferEncoding !== undefined) {
    // A peer that does not know chunks may take them for the next request.
    if (head.transferEncodings !== 1 || head.version === 10 || head.contentLength >= 0) return 400;
    if (transferEncoding !== 'chunked') return 501;
  }
  if (head.contentLength > limits.maxBodySize) return 413;
  if (head.expect !== undefined && head.version === 11 && head.expect !== CONTINUE) return 417;
  return 0;
}
