/**
 * TypeScript 5.6, the oldest that the declarations are for, which arethetypeswrong brings. It also parses declarations
 * for us: TypeScript 7 has no stable interface for programs.
 */
import { createRequire } from 'node:module';
import type TypeScript from '../node_modules/@arethetypeswrong/core/node_modules/typescript/lib/typescript.js';

const { resolve } = createRequire(import.meta.url);
const require = createRequire(resolve('@arethetypeswrong/core'));

/** Its interface for programs. */
export const ts = require('typescript') as typeof TypeScript;
export type { TypeScript };

/** Its compiler, as a program for Node. */
export const OLDEST_TSC = require.resolve('typescript/bin/tsc');
