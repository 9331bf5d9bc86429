/**
 * Every code block of README and docs: JavaScript runs on this Node as it is printed, commands exist, links lead
 * somewhere.
 */
import { spawnSync } from 'node:child_process';
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
import { built, output, ROOT } from './programs.js';

const files = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  ...readdirSync(`${ROOT}docs`).map(name => `docs/${name}`),
].filter(name => name.endsWith('.md'));
// Where the package's name means its bundles, as it does to users.
const folder = built(`examples/docs-${process.pid}`);
mkdirSync(folder, { recursive: true });
t.teardown(() => rmSync(folder, { recursive: true }));
// What blocks leave among the temporary files goes too.
const temporary = scratchFolder();

const { scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as {
  scripts: Record<string, string>;
};

/** Commands for projects that use this one. test/bundle.test.ts runs those of esbuild, test/node that of register. */
const ELSEWHERE =
  /^npm install (uasync|koffi)$|^npx uasync doctor$|^npx esbuild |^docker run |^node --import uasync\/register app\.js$/;

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

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

/** Where a heading of a page can be linked to, as GitHub names it. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

for (const file of files) {
  const text = readFileSync(join(ROOT, file), 'utf8');
  t.test(file, async t => {
    const blocks = [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)];
    const programs: [name: string, code: string][] = [];
    for (const [i, [, language, code]] of blocks.entries()) {
      const name = `${file} block ${i + 1}`;
      if (language === 'js') programs.push([name, code!]);
      else if (language === 'sh') for (const line of code!.trim().split('\n')) await isCommand(t, line);
      else t.ok(language === '' || file === 'docs/reference.md', `${name}: ${language} is run too`);
    }
    // What others load is there before they run.
    const modules = programs.filter(([, code]) => code.includes('export default'));
    for (const [, code] of modules) writeFileSync(join(folder, nameOf(code)!), code);
    const rest = programs.filter(program => !modules.includes(program)).values();
    // Servers run for a second, which is mostly waiting: a few at a time.
    const some = Array.from({ length: 4 }, async () => {
      for (const [name, code] of rest) await runs(t, name, code);
    });
    await Promise.all(some);
    for (const [, path, anchor] of text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)) {
      const target = path === '' ? join(ROOT, file) : join(ROOT, file, '..', path!);
      t.ok(existsSync(target), `${path} exists`);
      if (anchor === undefined) continue;
      t.ok(anchors(readFileSync(target, 'utf8')).includes(anchor), `${path} has a heading #${anchor}`);
    }
  });
}

/** The file that a block begins with the name of: `// worker.js`. */
function nameOf(code: string): string | undefined {
  return /^\/\/ ([\w.-]+\.c?js)\n/.exec(code)?.[1];
}

async function runs(t: Test, name: string, code: string): Promise<void> {
  if (code.includes("'key.pem'") && !existsSync(join(folder, 'key.pem'))) {
    t.pass(`${name}: not run, there is no openssl`);
    return;
  }
  const path = join(folder, nameOf(code) ?? `${name.replaceAll(/\W+/g, '-')}.mjs`);
  // What a line says it prints, `console.log(…); // like this`, it must print.
  const expected = [...code.matchAll(/console\.log\(.*\);? \/\/ ([^\n]*)$/gm)].map(
    ([, said]) => said!.split(/[:,] /)[0]!,
  );
  writeFileSync(path, `${BEFORE}${after(expected)}${code}`);
  const env = { ...process.env, TMPDIR: mkdtempSync(join(temporary, 'block-')) };
  const printed = await output(process.execPath, [path], env, folder);
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

async function isCommand(test: Test, line: string): Promise<void> {
  if (ELSEWHERE.test(line.replace(/^[A-Z_]+=\S+ /, ''))) return;
  const [command, ...args] = line.split(' ');
  if (command === 'openssl') {
    if (hasOpenssl) await output(command, args, process.env, folder);
    return;
  }
  const [, script] = /^npm (?:run )?(\S+)/.exec(line) ?? [];
  if (script !== undefined) test.ok(script in scripts, `${line}: a script of package.json`);
  else test.fail(`${line}: what is this?`);
}
