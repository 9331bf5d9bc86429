/** What `npm run release` refuses, in a repository of its own. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { scratchFolder } from '../harness.js';
import { output } from '../programs.js';
import { checkRelease } from './checks.js';
import '../patience.js';

// A git hook that runs the tests names its own repository; a user's configuration may sign tags.
for (const name of Object.keys(process.env)) if (name.startsWith('GIT_')) delete process.env[name];
Object.assign(process.env, { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' });

const hasGit = spawnSync('git', ['--version']).status === 0;
const needsGit = hasGit ? {} : { skip: 'git is not installed' };

const MANIFEST = {
  name: 'released',
  version: '1.2.0',
  type: 'module',
  repository: { type: 'git', url: 'git+https://example.org/released.git' },
  exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } },
  bin: { released: 'dist/cli.js' },
  files: ['dist', 'src', 'CHANGELOG.md'],
};

const FILES: Record<string, string> = {
  'package.json': JSON.stringify(MANIFEST),
  'package-lock.json': JSON.stringify({ version: '1.2.0', packages: { '': { version: '1.2.0' } } }),
  'CHANGELOG.md': '# Changelog\n\n## 1.2.0, 2026-01-31\n\n- More.\n\n## 1.1.0, 2025-01-31\n\n- Less.\n',
  'README.md': '# released\n',
  LICENSE: 'Anyone may.\n',
  'src/index.ts': 'export {};\n',
  'dist/index.js': 'export {};\n',
  'dist/index.d.ts': 'export {};\n',
  'dist/index.js.map': JSON.stringify({ version: 3, sources: ['../src/index.ts'], mappings: '' }),
  'dist/cli.js': '#!/usr/bin/env node\n',
};

/** A repository that can be released, and a way to change and commit its files. */
async function repository(): Promise<{
  root: string;
  git(...args: string[]): Promise<string>;
  put(file: string, text: string): Promise<void>;
}> {
  const root = scratchFolder();
  const identity = ['-c', 'user.name=a', '-c', 'user.email=a@example.org'];
  const git = (...args: string[]): Promise<string> =>
    output('git', [...identity, ...args], process.env, root);
  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  };
  for (const [file, text] of Object.entries(FILES)) write(file, text);
  await git('init', '--quiet', '--initial-branch=main');
  await git('add', '--all');
  await git('commit', '--quiet', '-m', 'all');
  await git('tag', 'v1.1.0');
  await git('tag', 'v1.2.0-rc.1');
  await git('tag', 'v2-notes');
  const put = async (file: string, text: string): Promise<void> => {
    write(file, text);
    await git('add', '--all');
    await git('commit', '--quiet', '-m', file);
  };
  return { root, git, put };
}

t.test('a checkout that can be released', needsGit, async t => {
  const { root } = await repository();
  const { name, version, tag, packed, problems } = await checkRelease(root);
  t.same(
    { name, version, tag, problems },
    { name: 'released', version: '1.2.0', tag: 'v1.2.0', problems: [] },
  );
  t.ok(packed.files.length >= 8, `${packed.files.length} files`);
});

t.test('every problem is named at once', needsGit, async t => {
  const { root, git, put } = await repository();
  await git('tag', 'v1.2.0');
  await git('tag', 'v1.10.0');
  await git('checkout', '--quiet', '-b', 'work');
  await put('CHANGELOG.md', '# Changelog\n\n## 1.2.0, unreleased\n\nSoon.\n');
  await put(
    'package-lock.json',
    JSON.stringify({ version: '1.1.0', packages: { '': { version: '1.2.0' } } }),
  );
  await put('package.json', JSON.stringify({ ...MANIFEST, repository: undefined }));
  await put('src/test/a.ts', '');
  await put('src/a.test.ts', '');
  await put('dist/.tsbuildinfo', '');
  const absolute = { version: 3, sources: ['/home/someone/src/index.ts'], mappings: '' };
  await put('dist/index.js.map', JSON.stringify(absolute));
  await put('dist/cli.js.map', JSON.stringify({ ...absolute, sources: ['../src/cli.ts'] }));
  rmSync(join(root, 'dist/cli.js'));
  const { problems } = await checkRelease(root);
  const expected = [
    'CHANGELOG.md: "## 1.2.0, unreleased" has no date',
    'CHANGELOG.md says nothing of 1.2.0',
    'package-lock.json is of 1.1.0 and 1.2.0',
    'the branch is work, not main',
    'not committed:\n  D dist/cli.js',
    'the tag v1.2.0 exists',
    '1.2.0 is not newer than 1.10.0',
    'package.json names dist/cli.js',
    'dist/.tsbuildinfo is not for users',
    'dist/cli.js.map names ../src/cli.ts',
    'dist/index.js.map has the absolute path /home/someone/src/index.ts',
    'src/a.test.ts is a test',
    'src/test/a.ts is a test',
    'package.json names no repository',
  ];
  for (const part of expected)
    t.ok(
      problems.some(problem => problem.includes(part)),
      part,
    );
  t.equal(problems.length, expected.length, problems.join('\n'));
});

t.test('a version without a section', needsGit, async t => {
  const { root, put } = await repository();
  await put('package.json', JSON.stringify({ ...MANIFEST, version: '1.3.0' }));
  const { problems } = await checkRelease(root);
  t.same(problems, ['CHANGELOG.md has no section for 1.3.0', 'package-lock.json is of 1.2.0']);
});
