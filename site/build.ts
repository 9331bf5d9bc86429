/**
 * `npm run docs:site`: the documentation as a site of static files, in dist/docs-site. VitePress makes it, in a folder of
 * its own under node_modules: it is as large as a third of what the project needs otherwise.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** npm leaves hidden folders alone. */
const WORK = join(ROOT, 'node_modules', '.site');
const OUT = join(ROOT, 'dist', 'docs-site');

const PAGES = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter(name => name.endsWith('.md'))
    .map(name => `docs/${name}`),
];
/** A link of a page to a file or a folder: not to another site, and not to a heading alone. */
const LINK = /\]\((?!\w+:|#)([^)#\s]+)((?:#[^)]*)?)\)/g;

function put(path: string, text: string): void {
  const target = join(WORK, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text);
}

/** A page that shows a source file. */
function sourcePage(path: string): string {
  return `# ${path}\n\n\`\`\`ts\n${readFileSync(join(ROOT, path), 'utf8')}\`\`\`\n`;
}

/** A page that lists what is in a folder. */
function folderPage(path: string): string {
  const entries = readdirSync(join(ROOT, path), { withFileTypes: true });
  const lines = entries.map(entry =>
    entry.isDirectory() ? `- [${entry.name}/](./${entry.name}/)` : `- [${entry.name}](./${entry.name})`,
  );
  return `# ${path}/\n\n${lines.join('\n')}\n`;
}

const made = new Set<string>();

/** Copies a page, with what it links to. */
function copyPage(path: string, text: string): void {
  if (made.has(path)) return;
  made.add(path);
  put(
    path,
    text.replaceAll(LINK, (all, target: string, heading: string) => {
      const file = relative(ROOT, join(ROOT, dirname(path), target)).replace(/\/$/, '');
      const there = join(ROOT, file);
      if (!existsSync(there)) throw new Error(`${path} links to ${target}, which does not exist`);
      if (statSync(there).isDirectory()) {
        copyPage(`${file}/index.md`, folderPage(file));
        return `](${target.replace(/\/?$/, '/')}index.md)`;
      }
      if (file.endsWith('.md')) {
        copyPage(file, readFileSync(there, 'utf8'));
        return all;
      }
      if (file.endsWith('.ts')) {
        put(`${file}.md`, sourcePage(file));
        return `](${target}.md)`;
      }
      // Pictures go through the bundler; the rest is served as it is.
      const place = file.endsWith('.svg') ? file : join('public', file);
      mkdirSync(join(WORK, dirname(place)), { recursive: true });
      cpSync(there, join(WORK, place));
      return file.endsWith('.svg') ? all : `](/${file}${heading})`;
    }),
  );
}

/** Installs VitePress where its lock file is not what was installed. */
function install(): void {
  const lock = readFileSync(join(ROOT, 'site/package-lock.json'), 'utf8');
  const installed = join(WORK, 'node_modules/.installed');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === lock) return;
  for (const file of ['package.json', 'package-lock.json'])
    cpSync(join(ROOT, 'site', file), join(WORK, file));
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error', '--ignore-scripts', '--fetch-timeout=60000'];
  execFileSync('npm', ['ci', ...quiet], { cwd: WORK, stdio: ['ignore', 'ignore', 'inherit'] });
  writeFileSync(installed, lock);
}

mkdirSync(WORK, { recursive: true });
for (const name of readdirSync(WORK)) {
  if (name !== 'node_modules') rmSync(join(WORK, name), { recursive: true });
}
install();
const config = readFileSync(join(ROOT, 'site/config.mjs'), 'utf8');
put('.vitepress/config.mjs', config);
put('project.json', readFileSync(join(ROOT, 'package.json'), 'utf8'));
for (const page of PAGES) {
  const [, name] = /^docs\/(.*)\.md$/.exec(page) ?? [];
  if (name !== undefined && !config.includes(`'${name}'`))
    throw new Error(`site/config.mjs leaves out ${page}`);
  copyPage(page, readFileSync(join(ROOT, page), 'utf8'));
}
execFileSync(join(WORK, 'node_modules/.bin/vitepress'), ['build'], {
  cwd: WORK,
  stdio: ['ignore', 'ignore', 'inherit'],
});
rmSync(OUT, { recursive: true, force: true });
cpSync(join(WORK, 'html'), OUT, { recursive: true });
console.log(`the site is in ${relative(process.cwd(), OUT)}`);
