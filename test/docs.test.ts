/** Every code block of README and docs: JavaScript is run, commands must exist. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { scratchFolder } from './harness.js';
import { output, ROOT } from './programs.js';

const files = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(`${ROOT}docs`).map(name => `docs/${name}`),
].filter(name => name.endsWith('.md'));
// Inside the project, so that its own name resolves.
const folder = join(ROOT, 'dist', `docs-${process.pid}`);
mkdirSync(folder, { recursive: true });
t.teardown(() => rmSync(folder, { recursive: true }));
// What blocks leave among the temporary files goes too.
const temporary = scratchFolder();

const { scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as {
  scripts: Record<string, string>;
};

/** `await using` is newer than Node 20: TypeScript does that in the project; here a declaration will do. */
function forOldNode(code: string): string {
  return code.replaceAll('await using ', 'const ');
}

/** Keeps what is printed. */
const BEFORE = `{
  const { write } = process.stdout;
  globalThis.printed = '';
  process.stdout.write = function (text, ...rest) {
    globalThis.printed += text;
    return write.call(this, text, ...rest);
  };
}
`;

for (const file of files) {
  const text = readFileSync(join(ROOT, file), 'utf8');
  t.test(file, async t => {
    const blocks = [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].entries();
    // Servers run for a second, which is mostly waiting: a few at a time.
    const some = Array.from({ length: 4 }, async () => {
      for (const [i, [, language, code]] of blocks) {
        if (language === 'js') await runs(t, `${file} block ${i + 1}`, code!);
        else if (language === 'sh') for (const line of code!.trim().split('\n')) isCommand(t, line);
      }
    });
    await Promise.all(some);
    for (const [, link] of text.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      t.ok(existsSync(join(ROOT, file, '..', link!)), `${link} exists`);
    }
  });
}

async function runs(t: Test, name: string, code: string): Promise<void> {
  // What a line says it prints, `console.log(…); // like this`, it must print.
  const expected = [...code.matchAll(/console\.log\(.*\);? \/\/ ([^\n]*)$/gm)].map(
    ([, said]) => said!.split(/[:,] /)[0]!,
  );
  const path = join(folder, `${name.replaceAll(/\W+/g, '-')}.mjs`);
  writeFileSync(path, `${BEFORE}${forOldNode(code)}\n${after(expected)}`);
  const TMPDIR = mkdtempSync(join(temporary, 'block-'));
  const printed = await output(process.execPath, [path], { ...process.env, TMPDIR });
  for (const text of expected) t.match(printed, text, `${name} prints ${text}`);
}

/** Ends a program that does not end by itself, as a server, after a second in which it may fail, and once it has printed what it should. */
function after(expected: string[]): string {
  return `
const end = () => {
  if (${JSON.stringify(expected)}.every(text => globalThis.printed.includes(text))) process.exit();
};
setTimeout(() => setInterval(end, 50).unref(), 950).unref();
`;
}

function isCommand(test: Test, line: string): void {
  const [, script] = /^npm (?:run )?(\S+)/.exec(line) ?? [];
  if (script !== undefined) test.ok(script in scripts, `${line}: a script of package.json`);
  else test.fail(`${line}: what is this?`);
}
