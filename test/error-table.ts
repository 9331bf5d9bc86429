/** docs/errors.md, made of the comments in src/ring/error-codes.ts: `npm run reference` writes it. */
import { readFileSync } from 'node:fs';
import { ROOT } from './programs.js';

/** One code and what is said of it. */
interface CodeEntry {
  code: string;
  /** The name of the error. */
  error: string;
  meaning: string;
  cure: string;
}

function flat(text: string): string {
  return text
    .replace(/^\s*\* ?/gm, '')
    .replace(/\s+/g, ' ')
    .trim();
}

/** Every code of the source's table. */
export function errorCodes(): CodeEntry[] {
  const text = readFileSync(`${ROOT}src/ring/error-codes.ts`, 'utf8');
  const entries = text.matchAll(/ {2}\/\*\*([\s\S]*?)@cure([\s\S]*?)\*\/\n {2}(\w+): '(\w+)';/g);
  return [...entries].map(([, meaning, cure, code, error]) => ({
    code: code!,
    error: error!,
    meaning: flat(meaning!),
    cure: flat(cure!),
  }));
}

const HEAD = `# Errors

Made from the comments in src/ring/error-codes.ts: \`npm run reference\` writes this page. In TypeScript \`ErrorCode\` of \`uasync\` is the union of the codes below. [debugging.md](debugging.md) says how to find what an error is about.

## Codes of this package

`;

const TAIL = `
## Errors of the kernel

They have the name of their errno as \`code\` (errno(3) lists them), \`errno\` and \`syscall\`, and \`address\` and \`port\`, \`path\` or \`dest\` of what they are about. Some need a word here:

| code | meaning | cure |
| --- | --- | --- |
| \`ECONNRESET\` | The peer, or something between, has reset the connection. It names the peer. | Treat what was not acknowledged as lost. |
| \`EPIPE\` | A write after the peer has gone, or has closed a pipe. Never a signal. | As for ECONNRESET. |
| \`ETIMEDOUT\` | Without an \`errno\`: a \`timeout\` of the call or of \`setTimeout\` has passed. With one: TCP has given the peer up. | Raise the timeout, or connect anew. |
| \`ENOTFOUND\` | A name has no address of the family that was asked for. | Leave \`family\` out, or check the name. |
| \`EMFILE\` | No descriptor is free. A listener says so once, as the warning UASYNC_EMFILE, and tries again. | Raise \`ulimit -n\`; close what is not used. |
| \`ENOMEM\` | Memory cannot be mapped or locked. | Raise \`ulimit -l\`; see [loop.md](loop.md#locked-memory). |
| \`EBADF\` | A descriptor that is not open, or a closed FileHandle ("file closed"). | Do not use it after \`close()\`. |

## Warnings

| code | meaning | cure |
| --- | --- | --- |
| \`UASYNC_EMFILE\` | A listener found no free descriptor and pauses for 100 ms. | As for EMFILE. |
| \`UASYNC_FALLBACK\` | io_uring cannot be used: the loop runs on epoll. Once a process. | The message names the cause. \`UASYNC_BACKEND=epoll\` asks for epoll, and is silent. |
| \`UASYNC_REGISTER\` | \`uasync/register\` leaves a module of Node's as it is, or does not know a word of the environment variable. | The message says why. |
| \`UASYNC_THREAD\` | A thread of \`serveOnThreads\` has ended unasked and is started again. | Look at the error in the message; \`onCrash\` gets it instead. |
| \`UASYNC_UNCLOSED\` | An object with a descriptor was garbage collected and is closed now. | Close it, or declare it with \`await using\`. |
`;

/** docs/errors.md as it should be. */
export function errorTable(): string {
  const rows = errorCodes().map(
    ({ code, error, meaning, cure }) => `| \`${code}\` | ${error} | ${meaning} | ${cure} |`,
  );
  return `${HEAD}| code | error | meaning | cure |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n${TAIL}`;
}
