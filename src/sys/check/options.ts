/** The options that a call takes. An unknown or misspelled option is an error rather than ignored. */
import { argTypeError, argValueError } from '../errors/errors.js';

/** The names of a call's options. */
export type OptionNames = ReadonlySet<string>;

/** All names of the interface `T` and no others, which the compiler checks. */
export function optionNames<T>(names: Record<keyof T, true>): OptionNames {
  return new Set(Object.keys(names));
}

/**
 * Checks that `options` is an object without unknown options. An option that is undefined counts as absent.
 * @throws TypeError ERR_INVALID_ARG_TYPE, or ERR_INVALID_ARG_VALUE with the name.
 */
export function checkOptions(options: object, known: OptionNames, name = 'options'): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw argTypeError(name, 'an object', options);
  for (const option in options) if (!known.has(option)) refuse(options, option, known, name);
}

/** Throws if one of `others` is given, which have no meaning together with `option`. */
export function checkAlone<T extends object>(
  options: T,
  option: string,
  others: readonly (keyof T & string)[],
): void {
  for (const name of others) {
    const value = options[name];
    if (value !== undefined)
      throw argValueError(`options.${name}`, `cannot be given with '${option}'`, value);
  }
}

/** What other libraries call these options. */
const SYNONYMS = new Map([
  ['hostname', 'host'],
  ['unix', 'path'],
]);

function refuse(options: object, option: string, known: OptionNames, name: string): void {
  const value = (options as Record<string, unknown>)[option];
  if (value === undefined) return;
  // A signal has these properties.
  if (known.has('signal') && 'aborted' in options && 'addEventListener' in options)
    throw argTypeError(name, 'an object such as { signal }', options);
  const near = nearest(option, known);
  const reason = near === undefined ? 'is unknown' : `is unknown (did you mean '${near}'?)`;
  throw argValueError(`${name}.${option}`, reason, value);
}

/** The option that was probably meant: a synonym, or equal except for case or for up to two letters. */
function nearest(option: string, known: OptionNames): string | undefined {
  const synonym = SYNONYMS.get(option);
  if (synonym !== undefined && known.has(synonym)) return synonym;
  const word = option.toLowerCase();
  let nearest: string | undefined;
  let least = Math.min(3, word.length - 1);
  for (const name of known) {
    const distance = editDistance(word, name.toLowerCase());
    if (distance >= least) continue;
    least = distance;
    nearest = name;
  }
  return nearest;
}

/** The number of letters to insert, delete or replace to turn one word into the other (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
