/** One scenario by node:fs/promises and by uasync/fs, each in a folder of its own: they must come to the same. */
import nodeFs from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { Test } from 'tap';
import { type Api, fieldsOf, node, ours, outcome } from './beside-node.js';

// biome-ignore lint/suspicious/noExplicitAny: arguments that no type allows are what this is for.
export type Any = any;
export type Scenario = (api: Any, at: string) => unknown;
export type Agree = (
  t: Test,
  name: string,
  scenario: Scenario,
  prepare?: (at: string) => unknown,
) => Promise<void>;

let places = 0;

/** Calls `use` for each of the two, with a new folder below `folder`; `which` is the folder's name in paths. */
export async function byBoth<T>(
  folder: string,
  use: (api: Any, at: string, which: string) => Promise<T>,
): Promise<[theirs: T, mine: T]> {
  const results: T[] = [];
  places++;
  for (const [which, api] of [
    ['node', node],
    ['ours', ours],
  ] as const) {
    const at = join(folder, which, `${places}`);
    nodeFs.mkdirSync(at, { recursive: true, mode: 0o777 });
    results.push(await use(api, at, which));
  }
  return results as [T, T];
}

/** Runs scenarios in folders below `folder`, which `prepare` fills: by default with a file of three lines. */
export function agreement(folder: string): Agree {
  return async (t, name, scenario, prepare = makeFile) => {
    const [theirs, mine] = await byBoth<Any>(folder, (api, at) => {
      prepare(at);
      return outcome(async () => scenario(api, at));
    });
    // Where Node trips over an argument, ours says what is wrong with it.
    if (theirs.error?.kind === 'TypeError' && theirs.error.code === undefined) {
      t.match(mine, { error: { kind: 'TypeError', code: /^ERR_/ } }, name);
    } else {
      t.equal(textOf(mine, 'ours'), textOf(theirs, 'node'), name);
    }
  };
}

function textOf(result: unknown, which: string): string {
  const text = inspect(result, { depth: 9, maxArrayLength: null, breakLength: 1000 });
  return text.replaceAll(`/${which}/`, '/');
}

export function makeFile(at: string): void {
  nodeFs.writeFileSync(join(at, 'file'), 'some text\nline two\r\nthree');
}

/** What begins the file. */
export function contentOf(at: string): string {
  return nodeFs.readFileSync(join(at, 'file'), 'latin1').slice(0, 100);
}

/** An error as a value, for scenarios that go on after it. */
export function errorOf(thrown: unknown): object {
  return fieldsOf(thrown);
}

/** With the file opened. */
export function withHandle(
  use: (handle: Any, api: Any, at: string) => unknown,
  flags: string | number = 'r+',
): Scenario {
  return async (api: Api, at) => {
    const handle = await api.open(join(at, 'file'), flags);
    try {
      return await use(handle, api, at);
    } finally {
      await handle.close();
    }
  };
}

/** As text, for a test's name. */
export function shown(value: unknown): string {
  return inspect(value, { breakLength: 1000, depth: 3 });
}
