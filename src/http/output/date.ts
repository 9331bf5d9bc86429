import { dateAt, setTimeout, wallClock } from '../../loop/real-timers.js';

let text: string | null = null;

/** The current value of the `Date` header, updated once a second. RFC 9110, 5.6.7 */
export function httpDate(): string {
  if (text === null) {
    const now = wallClock();
    text = dateAt(now).toUTCString();
    setTimeout(forget, 1000 - (now % 1000)).unref();
  }
  return text;
}

function forget(): void {
  text = null;
}
