/** How the sources import each other: folders only from those below them, and no file in a circle. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { ROOT } from './programs.js';

const BELOW: Record<string, readonly string[]> = {
  ring: [],
  loop: ['ring'],
  net: ['ring', 'loop'],
  fs: ['ring', 'loop'],
  doctor: ['ring', 'loop', 'net', 'fs'],
};

/** The files of a folder, and which others each imports. */
function imports(folder: string, extension: string): Map<string, string[]> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    name => name.endsWith(extension) && !name.endsWith('.d.ts'),
  );
  return new Map(
    files.map(file => {
      const text = readFileSync(join(folder, file), 'utf8');
      const found = [...text.matchAll(/(?:from|import) '(\.[^']*)\.js'/g)];
      return [file, found.map(([, path]) => join(dirname(file), `${path}${extension}`))];
    }),
  );
}

t.test('a folder imports only from those below it', async t => {
  const files = imports(`${ROOT}src`, '.ts');
  t.ok(files.size > 100, `${files.size} files`);
  for (const [file, others] of files) {
    const folder = dirname(file).split('/')[0]!;
    if (folder === '.') continue;
    for (const other of others) {
      const from = dirname(other).split('/')[0]!;
      t.ok(from === folder || BELOW[folder]!.includes(from), `${file} imports ${other}`);
    }
  }
});

t.test('what runs has no circle of imports', async t => {
  const files = imports(`${ROOT}dist/src`, '.js');
  // What was removed from the sources may be there still.
  const sources = [...imports(`${ROOT}src`, '.ts').keys()].map(file => file.replace('.ts', '.js'));
  const done = new Set<string>();
  const visit = (file: string, path: string[]): void => {
    if (done.has(file)) return;
    t.notOk(path.includes(file), [...path, file].join(' -> '));
    if (path.includes(file)) return;
    for (const other of files.get(file)!) visit(other, [...path, file]);
    done.add(file);
  };
  for (const file of sources) visit(file, []);
});
