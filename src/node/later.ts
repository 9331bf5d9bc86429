/** Modules of this package that are loaded when they are first needed: at the start of a program they would cost. */
import { createRequire } from 'node:module';
import { ownUrl } from '../ring/own-url.js';

/** Set by the bundler, which puts all entry points into one folder. */
declare const BUNDLED: boolean | undefined;

/**
 * Loads a module synchronously. While it is being imported elsewhere, and not ready, the result is undefined.
 * @param source where its source is, from this folder. @param bundle its file among the bundles.
 * @throws if it is not there.
 */
export function later<T>(source: string, bundle: string): () => T | undefined {
  const path = typeof BUNDLED === 'undefined' ? source : bundle;
  return () => {
    try {
      return createRequire(ownUrl(import.meta.url))(path) as T;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') throw error;
      return undefined;
    }
  };
}
