/** Which of Node's modules are put on the loop. */
import { checkBoolean } from '../sys/check/check.js';
import { checkOptions, optionNames } from '../sys/check/options.js';

/** What `register` puts on the loop. Omitted options keep their setting. */
export interface RegisterOptions {
  /** Servers of `node:net`, and so of `node:http`: default false. Those of `node:tls` stay Node's. */
  servers?: boolean | undefined;
  /** Clients of `node:net`, and so of `node:http`: default false. Those of `node:tls` stay Node's. */
  clients?: boolean | undefined;
  /** Sockets of `node:dgram`: default false. Those of the workers of a cluster stay Node's. */
  dgram?: boolean | undefined;
  /** `fs.promises`, with its `FileHandle`s: default true. */
  fs?: boolean | undefined;
}

const REGISTER_OPTIONS = optionNames<RegisterOptions>({
  servers: true,
  clients: true,
  dgram: true,
  fs: true,
});

/** The current settings: the installed methods check them on each call. */
export const settings = { servers: false, clients: false, dgram: false, fs: false };

/** The words of the environment variable. */
const WORDS: Record<string, RegisterOptions> = {
  all: { servers: true, clients: true, dgram: true, fs: true },
  net: { servers: true, clients: true },
  servers: { servers: true },
  clients: { clients: true },
  dgram: { dgram: true },
  fs: { fs: true },
};

/** The default: modules that measurably gain. */
export const DEFAULTS: RegisterOptions = { servers: false, clients: false, dgram: false, fs: true };

/** The options in UASYNC_REGISTER. Unknown words are reported and ignored; null means 'off'. */
export function fromEnvironment(value: string | undefined): RegisterOptions | null {
  if (value === undefined || value === '') return DEFAULTS;
  const words = value.split(',').map(word => word.trim());
  if (words.includes('off')) return null;
  const wanted: RegisterOptions = {};
  for (const word of words) {
    if (Object.hasOwn(WORDS, word)) Object.assign(wanted, WORDS[word]);
    else {
      process.emitWarning(
        `UASYNC_REGISTER does not know '${word}': it accepts off, ${Object.keys(WORDS).join(', ')}`,
        'UasyncWarning',
        'UASYNC_REGISTER',
      );
    }
  }
  return wanted;
}

/** Applies the given options. @throws TypeError for unknown or wrong options. */
export function change(options: RegisterOptions): void {
  checkOptions(options, REGISTER_OPTIONS);
  const names = Object.keys(settings) as (keyof typeof settings)[];
  for (const name of names) {
    const value = options[name];
    if (value !== undefined) checkBoolean(`options.${name}`, value);
  }
  // All or nothing.
  for (const name of names) settings[name] = options[name] ?? settings[name];
}
