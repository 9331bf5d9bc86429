import type { Head } from '../input/head.js';
import { secondsOf } from './http-date.js';

/** The validators of a representation. */
interface Validators {
  /** An entity tag, with its quotes. */
  readonly etag: string;
  /** The time of the last change, in whole seconds since 1970; NaN if it is unknown. */
  readonly modified: number;
}

function tagsOf(header: string): string[] {
  return header.match(/(?:W\/)?"[^"]*"/g) ?? [];
}

/** A tag without the mark that says it is weak. */
function opaque(tag: string): string {
  return tag.replace(/^W\//, '');
}

/**
 * The result of the conditions of a GET or HEAD: 304 and 412 instead of the content, 0 for the content. RFC 9110,
 * 13.2.2
 */
export function conditionStatus(request: Head, { etag, modified }: Validators): 0 | 304 | 412 {
  const ifMatch = request.get('if-match');
  if (ifMatch !== null) {
    // A weak tag does not say that the bytes are the same.
    const isSame = etag.startsWith('"') && tagsOf(ifMatch).includes(etag);
    if (ifMatch.trim() !== '*' && !isSame) return 412;
  } else {
    const since = request.get('if-unmodified-since');
    if (since !== null && modified > secondsOf(since)) return 412;
  }
  const ifNoneMatch = request.get('if-none-match');
  if (ifNoneMatch !== null) {
    const isKnown = tagsOf(ifNoneMatch).map(opaque).includes(opaque(etag));
    return ifNoneMatch.trim() === '*' || isKnown ? 304 : 0;
  }
  const since = request.get('if-modified-since');
  return since !== null && modified <= secondsOf(since) ? 304 : 0;
}

/** Whether parts may be sent: the peer has a part of the same content. RFC 9110, 13.1.5 */
export function isRangeWanted(request: Head, { etag, modified }: Validators): boolean {
  const ifRange = request.get('if-range');
  if (ifRange === null) return true;
  return ifRange.startsWith('"') ? ifRange === etag : secondsOf(ifRange) === modified;
}
