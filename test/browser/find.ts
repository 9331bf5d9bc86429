/**
 * A Chromium for tests: $UASYNC_BROWSER, one of the machine's, or the one that `npm run test:browser` has npm install.
 */
import { execFileSync } from 'node:child_process';
import {
  accessSync,
  constants,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  renameSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress } from 'node:zlib';
import { ROOT } from '../programs.js';

/** npm leaves hidden folders alone. */
const FOLDER = join(ROOT, 'node_modules', '.browser');
const INSTALLED = join(FOLDER, 'chromium');
/** Libraries for it, where the machine has none. */
const LIBRARIES = join(FOLDER, 'lib');

const NAMES = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  'chrome-headless-shell',
];

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The path of a browser, or null. */
export function findBrowser(): string | null {
  const { UASYNC_BROWSER, PATH = '' } = process.env;
  if (UASYNC_BROWSER !== undefined) return UASYNC_BROWSER;
  const onPath = PATH.split(delimiter).flatMap(folder => NAMES.map(name => join(folder, name)));
  return [...onPath, INSTALLED].find(isProgram) ?? null;
}

/** Why tests with a browser are skipped, or false. */
export const noBrowser =
  findBrowser() === null &&
  'there is no Chromium: npm run test:browser installs one, $UASYNC_BROWSER names one';

/** The environment that it needs. */
export function browserEnvironment(): NodeJS.ProcessEnv {
  if (!existsSync(LIBRARIES)) return process.env;
  const { LD_LIBRARY_PATH: before } = process.env;
  const places = [LIBRARIES, before].filter(Boolean).join(':');
  return { ...process.env, LD_LIBRARY_PATH: places };
}

async function unpack(from: string, to: string, mode: number): Promise<void> {
  await pipeline(createReadStream(from), createBrotliDecompress(), createWriteStream(`${to}.part`, { mode }));
  renameSync(`${to}.part`, to);
}

/** Installs Chromium by npm unless there is one; its path. 70 MB, 200 MB unpacked. */
export async function installBrowser(): Promise<string> {
  const found = findBrowser();
  if (found !== null) return found;
  if (process.arch !== 'x64')
    throw new Error('npm has Chromium for x64 only: install one, or name it by $UASYNC_BROWSER');
  mkdirSync(FOLDER, { recursive: true });
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error', '--ignore-scripts', '--fetch-timeout=60000'];
  execFileSync('npm', ['install', '--prefix', FOLDER, ...quiet, '@sparticuz/chromium@^153'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const packed = join(FOLDER, 'node_modules/@sparticuz/chromium/bin');
  await unpack(join(packed, 'chromium.br'), INSTALLED, 0o755);
  if (execFileSync('ldd', [INSTALLED], { encoding: 'utf8' }).includes('not found')) {
    const tarball = join(FOLDER, 'libraries.tar');
    await unpack(join(packed, 'al2023.tar.br'), tarball, 0o644);
    execFileSync('tar', ['-xf', tarball, '-C', FOLDER]);
  }
  return INSTALLED;
}
