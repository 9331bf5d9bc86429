/** What must hold before a version is published, of a checkout that is built. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gt, valid } from 'semver';
import { output } from '../programs.js';

interface Manifest {
  name: string;
  version: string;
  repository?: string | { url?: string };
  exports?: Record<string, string | Record<string, string>>;
  bin?: Record<string, string>;
}

interface Packed {
  /** In bytes, of the tarball and of the files in it. */
  size: number;
  unpackedSize: number;
  files: { path: string }[];
}

/** A version that can be released, or the reasons that it cannot. */
export interface Release {
  name: string;
  version: string;
  tag: string;
  packed: Packed;
  problems: string[];
}

function read<T>(root: string, file: string): T {
  return JSON.parse(readFileSync(join(root, file), 'utf8')) as T;
}

function changelogProblems(root: string, version: string): string[] {
  const text = readFileSync(join(root, 'CHANGELOG.md'), 'utf8');
  const sections = text.split(/^## /m).slice(1);
  const section = sections.find(one => one.startsWith(`${version},`) || one.startsWith(`${version}\n`));
  if (section === undefined) return [`CHANGELOG.md has no section for ${version}`];
  const [heading = '', ...rest] = section.split('\n');
  const problems: string[] = [];
  if (!/, \d{4}-\d\d-\d\d$/.test(heading)) {
    problems.push(`CHANGELOG.md: "## ${heading}" has no date; a release has "## ${version}, YYYY-MM-DD"`);
  }
  if (!rest.some(line => line.startsWith('- '))) problems.push(`CHANGELOG.md says nothing of ${version}`);
  return problems;
}

async function gitProblems(root: string, version: string, tag: string): Promise<string[]> {
  const git = async (...args: string[]): Promise<string> =>
    (await output('git', args, process.env, root)).trim();
  const problems: string[] = [];
  const branch = await git('branch', '--show-current');
  if (branch !== 'main') problems.push(`the branch is ${branch || 'none'}, not main`);
  const changed = await git('status', '--porcelain');
  if (changed !== '') problems.push(`these files are not committed:\n${changed.replace(/^/gm, '  ')}`);
  const tags = (await git('tag', '--list', 'v*')).split('\n').filter(Boolean);
  if (tags.includes(tag)) problems.push(`the tag ${tag} exists`);
  const released = tags.map(one => one.slice(1)).filter(one => valid(one) !== null);
  const newer = released.filter(one => one !== version && !gt(version, one));
  if (newer.length > 0) problems.push(`${version} is not newer than ${newer.join(', ')}`);
  return problems;
}

function lockProblems(root: string, version: string): string[] {
  const lock = read<{ version: string; packages: Record<string, { version?: string }> }>(
    root,
    'package-lock.json',
  );
  const locked = new Set([lock.version, lock.packages['']?.version]);
  return locked.size === 1 && locked.has(version)
    ? []
    : [`package-lock.json is of ${[...locked].join(' and ')}`];
}

/** What of the manifest has to be in the package. */
function named({ exports = {}, bin = {} }: Manifest): string[] {
  const targets = Object.values(exports).flatMap(to => (typeof to === 'string' ? [to] : Object.values(to)));
  return [...targets, ...Object.values(bin)].map(path => path.replace(/^\.\//, ''));
}

function packProblems(root: string, manifest: Manifest, packed: Packed): string[] {
  const paths = packed.files.map(({ path }) => path);
  const have = new Set(paths);
  const problems = named(manifest)
    .filter(path => !have.has(path))
    .map(path => `package.json names ${path}, which is not in the package: is it built?`);
  for (const path of ['README.md', 'LICENSE', 'CHANGELOG.md']) {
    if (!have.has(path)) problems.push(`${path} is not in the package`);
  }
  for (const path of paths) {
    if (/(^|\/)test\/|\.test\.[cm]?[jt]s$/.test(path)) problems.push(`${path} is a test`);
    if (/\.(log|tgz|tsbuildinfo)$|(^|\/)\.(?!npmignore)/.test(path))
      problems.push(`${path} is not for users`);
    if (path.endsWith('.map')) problems.push(...mapProblems(root, path, have));
  }
  return problems;
}

/** A source map names sources that are in the package, by relative paths. */
function mapProblems(root: string, path: string, have: ReadonlySet<string>): string[] {
  const { sources, sourceRoot = '' } = read<{ sources: string[]; sourceRoot?: string }>(root, path);
  const wrong = [sourceRoot, ...sources].find(source => /^(\/|[a-z]+:|[A-Z]:\\)/.test(source));
  if (wrong !== undefined) return [`${path} has the absolute path ${wrong}`];
  const missing = sources.find(source => !have.has(join(dirname(path), sourceRoot, source)));
  return missing === undefined ? [] : [`${path} names ${missing}, which is not in the package`];
}

function provenanceProblems({ repository }: Manifest): string[] {
  const url = typeof repository === 'string' ? repository : repository?.url;
  return url === undefined || url === ''
    ? ['package.json names no repository, which `npm publish --provenance` compares with where it runs']
    : [];
}

/** Looks at a checkout, and changes nothing. */
export async function checkRelease(root: string): Promise<Release> {
  const manifest = read<Manifest>(root, 'package.json');
  const { name, version } = manifest;
  const tag = `v${version}`;
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const answer: unknown = JSON.parse(await output('npm', args, process.env, root));
  // An array of npm 11 and older, by name of newer ones.
  const [packed] = Object.values(answer as Record<string, Packed>);
  const problems = [
    ...changelogProblems(root, version),
    ...lockProblems(root, version),
    ...(await gitProblems(root, version, tag)),
    ...packProblems(root, manifest, packed!),
    ...provenanceProblems(manifest),
  ];
  return { name, version, tag, packed: packed!, problems };
}
