/** uasync/fs: files, with the names and signatures of node:fs/promises. */
import * as api from './api.js';

export * from './api.js';

/** The same in one object: `import fs from 'uasync/fs'`, as of Node's modules. */
export default api;
