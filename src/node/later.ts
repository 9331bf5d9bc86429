/** Loads modules of this package on first use, because loading them at the start of a program costs time. */
import { createRequire } from 'node:module';
import { ownUrl } from '../sys/own-url.js';

/** Set by the bundler, which puts all entry points into one folder. */
declare const BUNDLED: boolean | undefined;

/**
 * Loads a module synchronously. Returns undefined while it is being imported elsewhere and is not ready.
 * @param source the path of its source, from this folder. @param bundle its file among the bundles.
 * @throws if it does not exist.
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
