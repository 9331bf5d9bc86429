import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BLOCK, LARGE, SMALL } from '../peers/http/bodies.js';
import { lazyFolder } from './folder.js';

/** The files that HTTP servers send: a folder with `small` and `large`. */
export const httpFiles = lazyFolder(folder => {
  const large = Buffer.alloc(LARGE, BLOCK);
  writeFileSync(join(folder, 'large'), large);
  writeFileSync(join(folder, 'small'), large.subarray(0, SMALL));
});
