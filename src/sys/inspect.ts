/** What `util.inspect` shows of this package's objects: the class, the state, and what waits, on one line. */
import { type InspectOptionsStylized, inspect } from 'node:util';

/** The name of the method that `util.inspect` calls. */
export const custom: typeof inspect.custom = inspect.custom;

/** Separate numbers, not those in an address or a path. */
const NUMBER = /(?<![^\s(])-?\d+(?=$|[\s,)])/g;

/** A text, or nothing. */
type Part = string | false | undefined;

/**
 * The object as text. Below the requested depth, only its name.
 * @param state 'open', 'closed' and the like.
 * @param place its addresses, descriptor or path.
 * @param parts further text; empty parts are left out.
 */
export function shown(
  object: object,
  depth: number,
  options: InspectOptionsStylized,
  state: string,
  place: Part,
  parts: readonly Part[],
): string {
  const { name } = object.constructor;
  if (depth < 0) return options.stylize(`[${name}]`, 'special');
  const head = options.stylize(state, 'special') + (place ? ` ${place}` : '');
  const words = parts
    .filter(part => typeof part === 'string' && part !== '')
    .map(part => (part as string).replace(NUMBER, number => options.stylize(number, 'number')));
  return `${name} { ${[head, ...words].join(', ')} }`;
}

/** A count with its noun: '1 reader', '2 readers'; '' for 0. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return count === 0 ? '' : `${count} ${count === 1 ? one : many}`;
}
