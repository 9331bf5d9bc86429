/** The package as `npm pack` makes it of what is built. */
import { join } from 'node:path';
import { output } from '../programs.js';

/** Packs into this folder; the path of the tarball. */
export async function pack(folder: string): Promise<string> {
  const args = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder];
  return join(folder, (await output('npm', args)).trim().split('\n').at(-1)!);
}

/** One line of each entry point that has types. */
export const TYPED_PROGRAM = `
import { loop, sleep, UasyncError } from 'uasync';
import fs, { open } from 'uasync/fs';
import { Response, serve } from 'uasync/http';
import { connect, listen } from 'uasync/net';
import { createSocket } from 'uasync/node/dgram';
import { createServer, onLoop } from 'uasync/node/net';
import { register } from 'uasync/register';
import { Ring } from 'uasync/ring';
export const all = [loop, sleep, UasyncError, fs, open, Response, serve, connect, listen];
export const more = [createSocket, createServer, onLoop, register, Ring];
export const bytes: Promise<Buffer> = open('x').then(file => file.readFile());
`;

/** What the compiler is told, but for how modules are resolved. */
const STRICT = {
  target: 'es2022',
  lib: ['es2023', 'esnext.disposable'],
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: false,
  noEmit: true,
};

/** A tsconfig.json for a way to resolve modules. */
export function tsconfig(moduleResolution: 'node16' | 'nodenext' | 'bundler'): string {
  const module = moduleResolution === 'bundler' ? 'esnext' : moduleResolution;
  return JSON.stringify({ compilerOptions: { ...STRICT, module, moduleResolution }, files: ['program.ts'] });
}
