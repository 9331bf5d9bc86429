import { type InspectOptionsStylized, inspect } from 'node:util';
import { withCode } from '../../sys/errors/errors.js';
import { custom } from '../../sys/inspect.js';
import { type Head, separatorOf } from '../input/head.js';
import { checkName, checkValue } from '../output/field-text.js';
import { extendLater } from './platform.js';

/** The sources of headers. */
export type HeadersSource =
  | Iterable<readonly [string, string] | readonly string[]>
  | Readonly<Record<string, string>>
  | Headers;

const SET_COOKIE = 'set-cookie';

/**
 * The headers of a message, with the interface of the platform's `Headers`, of which they are instances too. Names are
 * case-insensitive, and lower-case when listed.
 */
export class HttpHeaders {
  /** The original head, until single values are not enough. */
  #head: Head | null = null;
  /** Lower-case names and values, alternating, in their original order. */
  #list: string[] = [];
  /** What iterators list, until it changes. */
  #listed: readonly [string, string][] | null = null;

  /**
   * Headers from pairs, or from an object.
   * @throws TypeError for names and values that cannot be sent.
   */
  constructor(source?: HeadersSource) {
    if (source !== undefined) this.#fill(source);
  }

  /** @internal The headers of a request. */
  static of(head: Head): HttpHeaders {
    const headers = new HttpHeaders();
    headers.#head = head;
    return headers;
  }

  #fill(source: HeadersSource): void {
    if (typeof source !== 'object' || source === null) {
      throw withCode(new TypeError('Headers must be an object or an iterable'), 'ERR_INVALID_ARG_TYPE');
    }
    if (typeof (source as Iterable<readonly string[]>)[Symbol.iterator] !== 'function') {
      for (const name of Object.keys(source)) {
        this.#list.push(checkName(name), checkValue((source as Record<string, string>)[name]!));
      }
      return;
    }
    for (const pair of source as Iterable<readonly string[]>) {
      const [name, value, ...more] = pair;
      if (name === undefined || value === undefined || more.length !== 0) {
        throw withCode(new TypeError('A header must be a pair of name and value'), 'ERR_INVALID_ARG_VALUE');
      }
      this.#list.push(checkName(name), checkValue(value));
    }
  }

  /** The list, which is about to change. */
  #changing(): string[] {
    this.#listed = null;
    return this.list;
  }

  /** @internal Names and values, alternating, in the order of sending. Do not modify. */
  get list(): string[] {
    const head = this.#head;
    if (head !== null) {
      this.#head = null;
      for (let i = 0; i < head.count; i++) this.#list.push(head.name(i), head.value(i));
    }
    return this.#list;
  }

  /** @internal Whether there is a header with this lower-case name. */
  includes(name: string): boolean {
    const { list } = this;
    for (let i = 0; i < list.length; i += 2) if (list[i] === name) return true;
    return false;
  }

  /** @internal An independent copy. */
  copy(): HttpHeaders {
    const copy = new HttpHeaders();
    copy.#list = this.list.slice();
    return copy;
  }

  /** Adds a value to a header. */
  append(name: string, value: string): void {
    const checked = checkName(name);
    const text = checkValue(value);
    this.#changing().push(checked, text);
  }

  /** Removes all headers with this name. */
  delete(name: string): void {
    const lower = checkName(name);
    const list = this.#changing();
    for (let i = list.length - 2; i >= 0; i -= 2) if (list[i] === lower) list.splice(i, 2);
  }

  /** The combined values of a header; null if there is none. */
  get(name: string): string | null {
    const lower = checkName(name);
    if (this.#head !== null) return this.#head.get(lower);
    const list = this.#list;
    let found: string | null = null;
    for (let i = 0; i < list.length; i += 2) {
      if (list[i] === lower) found = found === null ? list[i + 1]! : found + separatorOf(lower) + list[i + 1];
    }
    return found;
  }

  /** The values of all `Set-Cookie` headers, separately. */
  getSetCookie(): string[] {
    const { list } = this;
    return list.filter((_, i) => i % 2 === 1 && list[i - 1] === SET_COOKIE);
  }

  /** Whether there is such a header. */
  has(name: string): boolean {
    return this.get(name) !== null;
  }

  /** Replaces the values of a header by one. */
  set(name: string, value: string): void {
    const lower = checkName(name);
    const checked = checkValue(value);
    const list = this.#changing();
    const at = list.findIndex((text, i) => i % 2 === 0 && text === lower);
    if (at < 0) {
      list.push(lower, checked);
      return;
    }
    list[at + 1] = checked;
    for (let i = list.length - 2; i > at; i -= 2) if (list[i] === lower) list.splice(i, 2);
  }

  /** Sorted by name, with combined values, except for `Set-Cookie`. */
  #sorted(): readonly [string, string][] {
    if (this.#listed !== null) return this.#listed;
    const { list } = this;
    const pairs: [string, string][] = [];
    const at = new Map<string, [string, string]>();
    for (let i = 0; i < list.length; i += 2) {
      const name = list[i]!;
      const before = name === SET_COOKIE ? undefined : at.get(name);
      if (before !== undefined) before[1] += separatorOf(name) + list[i + 1];
      else {
        const pair: [string, string] = [name, list[i + 1]!];
        at.set(name, pair);
        pairs.push(pair);
      }
    }
    this.#listed = pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return this.#listed;
  }

  /** Calls `callback` for each header, sorted by name. */
  forEach(callback: (value: string, name: string, headers: this) => void, thisArg?: unknown): void {
    if (typeof callback !== 'function') {
      throw withCode(new TypeError('The callback must be a function'), 'ERR_INVALID_ARG_TYPE');
    }
    for (const [name, value] of this.entries()) callback.call(thisArg, value, name, this);
  }

  /** Names and values, sorted by name. An iterator sees changes that are made meanwhile, as the platform's does. */
  *entries(): IterableIterator<[string, string]> {
    for (let i = 0; i < this.#sorted().length; i++) {
      const [name, value] = this.#sorted()[i]!;
      yield [name, value];
    }
  }

  /** The names, in lower case, sorted. */
  *keys(): IterableIterator<string> {
    for (const [name] of this.entries()) yield name;
  }

  /** The values, sorted by name. */
  *values(): IterableIterator<string> {
    for (const [, value] of this.entries()) yield value;
  }

  /** Names and values, sorted by name. */
  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries();
  }

  /** @internal */
  get [Symbol.toStringTag](): string {
    return 'Headers';
  }

  /** @internal What `util.inspect` shows. */
  [custom](_depth: number, options: InspectOptionsStylized): string {
    const all = Array.from(this.keys(), name => [name, this.get(name)]);
    return `Headers ${inspect(Object.fromEntries(all), options)}`;
  }
}

extendLater(HttpHeaders, 'Headers');
Object.defineProperty(HttpHeaders, 'name', { value: 'Headers' });
