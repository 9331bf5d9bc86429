/** uasync/fs: files, with the names and signatures of node:fs/promises. */
import * as api from './api.js';

export * from './api.js';

/** The same as one object: `import fs from 'uasync/fs'`, like Node's modules. */
export default api;
