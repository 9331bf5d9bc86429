/** Installs what the tests in this folder need: `npm run test:browser` does so first. */
import { installBrowser } from './find.js';

console.log(`browser: ${await installBrowser()}`);
