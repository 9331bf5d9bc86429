/** The files of the applications. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lazyFolder } from './folder.js';

const LINES = 80_000;
const LEVELS = ['debug', 'info', 'debug', 'warn', 'debug', 'error'];

const PACKAGES = 100;
const FILES = 20;
const STEP = 977;
const SIZES = 40;

/** A folder with `log`, 8 MB of lines of several levels. */
export const logFolder = lazyFolder(folder => {
  const lines = Array.from({ length: LINES }, (_, i) => {
    const time = new Date(1.7e12 + i * 7).toISOString();
    return `${time} ${LEVELS[i % LEVELS.length]} request ${i} of /users/${i % 977} took ${(i * 31) % 500} ms, answered with ${i % 7 === 0 ? 404 : 200}\n`;
  });
  writeFileSync(join(folder, 'log'), lines.join(''));
});

/** A tree of files like node_modules: 2,000 files of 1 to 39 KB in 100 folders. */
export const packageTree = lazyFolder(folder => {
  for (let i = 0; i < PACKAGES; i++) {
    const path = join(folder, `package-${i}`);
    mkdirSync(path);
    for (let j = 0; j < FILES; j++) {
      const size = (1 + ((i * FILES + j) % SIZES)) * STEP;
      writeFileSync(join(path, `file-${j}.js`), Buffer.alloc(size, `module ${i}.${j};\n`));
    }
  }
});
