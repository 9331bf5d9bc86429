/**
 * Writes dist/package.json, by which the package's name means its sources for all that is compiled beside them: tests
 * that look inside would else have two copies of it. Users get bundles of them, which test/package/package.test.ts tries;
 * benchmarks, examples and the programs that tests start have those too, as a package that is installed: they start in
 * less than half of the time. So does tap as one file.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { buildSync } from 'esbuild';
import { built, ROOT } from './programs.js';

type Exports = Record<string, string | { types: string }>;

const { name, version, type, exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  name: string;
  version: string;
  type: string;
  exports: Exports;
};

/** Entry points without types: what threads run. */
const PROGRAMS: Record<string, string> = {
  './thread-entry': './src/threads/thread-entry.js',
  './http-thread-entry': './src/http/server/http-thread-entry.js',
};

/** The compiled source of an entry point: beside its types. */
function sourceOf(path: string, to: Exports[string]): string {
  if (typeof to !== 'string') return to.types.replace('./dist/', './').replace('.d.ts', '.js');
  return PROGRAMS[path] ?? to;
}

const sources = Object.entries(exports).map(([path, to]) => [path, sourceOf(path, to)]);
const manifest = { name, version, type, exports: Object.fromEntries(sources) };
writeFileSync(built('package.json'), `${JSON.stringify(manifest, null, 2)}\n`);

for (const folder of ['benchmark', 'examples', 'test/fixtures']) {
  const modules = built(`${folder}/node_modules`);
  mkdirSync(modules, { recursive: true });
  rmSync(join(modules, name), { force: true });
  symlinkSync(relative(modules, ROOT), join(modules, name));
  writeFileSync(built(`${folder}/package.json`), `${JSON.stringify({ type })}\n`);
}

const tap = built('node_modules/tap');
const { version: tapVersion } = JSON.parse(
  readFileSync(join(ROOT, 'node_modules', 'tap', 'package.json'), 'utf8'),
) as { version: string };
if (!existsSync(join(tap, `${tapVersion}.js`))) {
  rmSync(tap, { recursive: true, force: true });
  buildSync({
    entryPoints: [join(ROOT, 'node_modules', 'tap', 'dist', 'esm', 'index.js')],
    outfile: join(tap, `${tapVersion}.js`),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    keepNames: true,
    // For its dependencies that are CommonJS.
    banner: {
      js: "import { createRequire as requireOf } from 'node:module';\nconst require = requireOf(import.meta.url);",
    },
  });
  writeFileSync(join(tap, 'package.json'), `${JSON.stringify({ type, exports: `./${tapVersion}.js` })}\n`);
}
