import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

/** A package that `npm run bench:setup` has installed into benchmark/node_modules. */
export async function installed<Module>(name: string): Promise<Module> {
  const { resolve } = createRequire(new URL('../../../../benchmark/', import.meta.url));
  return import(pathToFileURL(resolve(name)).href);
}
