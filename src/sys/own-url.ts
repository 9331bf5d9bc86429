import { pathToFileURL } from 'node:url';

declare const __filename: string;

/**
 * The URL of the calling file: `ownUrl(import.meta.url)`. A bundler that writes CommonJS leaves `import.meta.url`
 * undefined; there the bundle's own file has a `__filename`.
 */
export function ownUrl(url: string | undefined): string | URL {
  return url ?? pathToFileURL(__filename);
}
