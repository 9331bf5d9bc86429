/**
 * uasync/register: Node's own `net`, `dgram` and `fs.promises` on the loop, for the whole process. `node --import
 * uasync/register app.js`, or imported before anything else.
 */
import { syncBuiltinESMExports } from 'node:module';
import { putDatagramsOn } from './datagram/sockets.js';
import { putFilesOn } from './files/files.js';
import { later } from './later.js';
import { nodeModule } from './natives.js';
import { change, DEFAULTS, fromEnvironment, type RegisterOptions, settings } from './settings.js';

export type { RegisterOptions } from './settings.js';

/**
 * Puts Node's modules on the loop, or removes them for sockets and calls from now on. Importing this module has done so
 * already, according to `UASYNC_REGISTER`: `off`, `all`, or some of `net`, `servers`, `clients`, `dgram`, `fs`,
 * separated by commas. Where the loop cannot run, and with `--permission`, nothing changes.
 * @returns what is on the loop from now on.
 * @throws TypeError for unknown options.
 */
export function register(options: RegisterOptions = DEFAULTS): RegisterOptions {
  change(options);
  install();
  return { ...settings };
}

const loadNet = later<typeof import('./net-parts.js')>('./net-parts.js', './net-parts.js');

let netOn = false;
let datagramsOn = false;
let filesOn = false;

/** Installs methods for modules that are enabled now and were not before. They check the settings on each call. */
function install(): void {
  if (process.permission !== undefined || process.platform !== 'linux') return;
  if (!netOn && (settings.servers || settings.clients)) {
    const parts = loadNet();
    netOn = parts !== undefined;
    parts?.putNetOn(settings);
  }
  if (!datagramsOn && settings.dgram) {
    datagramsOn = true;
    putDatagramsOn(nodeModule<typeof import('node:dgram')>('dgram').Socket.prototype, () => settings.dgram);
  }
  if (!filesOn && settings.fs) {
    filesOn = true;
    putFilesOn(() => settings.fs);
  }
  syncBuiltinESMExports();
}

const wanted = fromEnvironment(process.env.UASYNC_REGISTER);
if (wanted !== null) register(wanted);
