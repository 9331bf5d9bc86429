/**
 * uasync/register: Node's own `net` on the loop, for the whole process. `node --import uasync/register app.js`, or
 * imported before anything else.
 */
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import { putOn } from './put-on.js';
import { netFits } from './ready.js';
import { change, fromEnvironment, type RegisterOptions, settings } from './settings.js';

export type { RegisterOptions } from './settings.js';

let installed = false;

/**
 * Puts Node's modules on the loop, or takes them off again for what is made from now on. Importing this module has done
 * that already, as `UASYNC_REGISTER` says: `off`, or some of `net`, `servers`, `clients`, with commas between them.
 * Where the loop cannot run, and with `--permission`, nothing changes.
 * @returns what is on the loop from now on.
 * @throws TypeError for unknown options.
 */
export function register(options: RegisterOptions = { servers: true, clients: true }): RegisterOptions {
  change(options);
  install();
  return { ...settings };
}

function install(): void {
  if (installed || process.permission !== undefined || process.platform !== 'linux') return;
  if (!settings.servers && !settings.clients) return;
  installed = true;
  putOn(net.Socket.prototype, net.Server.prototype, {
    clients: () => settings.clients && netFits(),
    servers: () => settings.servers && netFits(),
  });
  syncBuiltinESMExports();
}

const wanted = fromEnvironment(process.env.UASYNC_REGISTER);
if (wanted !== null) register(wanted);
