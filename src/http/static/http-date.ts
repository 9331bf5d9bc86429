import { parseDate } from '../../loop/real-timers.js';

/** `Sun, 06 Nov 1994 08:49:37 GMT`, and `Sunday, 06-Nov-94 08:49:37 GMT` from before. */
const WITH_ZONE = /^[A-Z][a-z]{2,8}, \d\d(?: [A-Z][a-z]{2} \d{4}|-[A-Z][a-z]{2}-\d\d) \d\d:\d\d:\d\d GMT$/;
/** `Sun Nov  6 08:49:37 1994`, as C's asctime makes it. */
const WITHOUT_ZONE = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$/;

/**
 * Seconds since 1970 of a date in one of HTTP's three forms, all of which are UTC; NaN for other text, for which `Date`
 * may see one of local time. RFC 9110, 5.6.7
 */
export function secondsOf(date: string): number {
  if (WITHOUT_ZONE.test(date)) date += ' GMT';
  else if (!WITH_ZONE.test(date)) return Number.NaN;
  return Math.floor(parseDate(date) / 1000);
}
