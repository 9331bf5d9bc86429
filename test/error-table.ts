/** Generates docs/errors.md from the comments in src/sys/errors/error-codes.ts, for `npm run reference`. */
import { readFileSync } from 'node:fs';
import { ROOT } from './programs.js';

/** One code with its texts. */
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
  const text = readFileSync(`${ROOT}src/sys/errors/error-codes.ts`, 'utf8');
  const entries = text.matchAll(/ {2}\/\*\*([\s\S]*?)@cure([\s\S]*?)\*\/\n {2}(\w+): '(\w+)';/g);
  return [...entries].map(([, meaning, cure, code, error]) => ({
    code: code!,
    error: error!,
    meaning: flat(meaning!),
    cure: flat(cure!),
  }));
}

const HEAD = `# Errors

Made from the comments in src/sys/errors/error-codes.ts: \`npm run reference\` writes this page. In TypeScript \`ErrorCode\` of \`uasync\` is the union of the codes below. [debugging.md](debugging.md) describes how to find the cause of an error.

## Codes of this package

`;

const TAIL = `
## Errors of the kernel

Their \`code\` is the name of the errno (see errno(3)). They also have \`errno\` and \`syscall\`, and \`address\` and \`port\`, \`path\` or \`dest\`. Some need an explanation:

| code | meaning | cure |
| --- | --- | --- |
| \`ECONNRESET\` | The peer, or a device in between, has reset the connection. The error names the peer. | Treat data that was not acknowledged as lost. |
| \`EPIPE\` | A write after the peer has disconnected, or has closed a pipe. There is never a signal. | As for ECONNRESET. |
| \`ETIMEDOUT\` | Without an \`errno\`: a \`timeout\` of the call or of \`setTimeout\` has expired. With one: TCP has given up on the peer. | Raise the timeout, or connect again. |
| \`ENOTFOUND\` | A name has no address of the requested family. | Omit \`family\`, or check the name. |
| \`EMFILE\` | No descriptor is free. A listener emits the warning UASYNC_EMFILE once, and tries again. | Raise \`ulimit -n\`; close unused objects. |
| \`ENOMEM\` | Memory cannot be mapped or locked. | Raise \`ulimit -l\`; see [loop.md](loop.md#locked-memory). |
| \`EBADF\` | The descriptor is not open, or the FileHandle is closed ("file closed"). | Do not use it after \`close()\`. |

## Warnings

| code | meaning | cure |
| --- | --- | --- |
| \`UASYNC_EMFILE\` | A listener found no free descriptor and pauses for 100 ms. | As for EMFILE. |
| \`UASYNC_FALLBACK\` | io_uring is not available: the loop runs on epoll. Emitted once per process. | The message names the cause. \`UASYNC_BACKEND=epoll\` selects epoll without a warning. |
| \`UASYNC_REGISTER\` | \`uasync/register\` leaves a module of Node's unchanged, or the environment variable has an unknown word. | The message has the reason. |
| \`UASYNC_THREAD\` | A thread of \`serveOnThreads\` ended unexpectedly and is restarted. | See the error in the message; with \`onCrash\` that is called instead. |
| \`UASYNC_UNCLOSED\` | An object with a descriptor was garbage collected, which closes it. | Close it, or declare it with \`await using\`. |
`;

/** docs/errors.md as it should be. */
export function errorTable(): string {
  const rows = errorCodes().map(
    ({ code, error, meaning, cure }) => `| \`${code}\` | ${error} | ${meaning} | ${cure} |`,
  );
  return `${HEAD}| code | error | meaning | cure |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n${TAIL}`;
}
