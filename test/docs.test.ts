/** Every code block of README and docs: JavaScript is run, commands must exist. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
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

const { scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as {
  scripts: Record<string, string>;
};

/** `await using` is newer than Node 20: TypeScript does that in the project; here a declaration will do. */
function forOldNode(code: string): string {
  return code.replaceAll('await using ', 'const ');
}

for (const file of files) {
  const text = readFileSync(join(ROOT, file), 'utf8');
  t.test(file, async t => {
    const blocks = [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)];
    for (const [i, [, language, code]] of blocks.entries()) {
      if (language === 'js') await runs(t, `${file} block ${i + 1}`, code!);
      else if (language === 'sh') for (const line of code!.trim().split('\n')) isCommand(t, line);
    }
    for (const [, link] of text.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
      t.ok(existsSync(join(ROOT, file, '..', link!)), `${link} exists`);
    }
  });
}

async function runs(t: Test, name: string, code: string): Promise<void> {
  const path = join(folder, `${name.replaceAll(/\W+/g, '-')}.mjs`);
  writeFileSync(path, `${forOldNode(code)}\nsetTimeout(() => process.exit(), 1000).unref();\n`);
  // What it leaves in the folder for temporary files goes with ours.
  const printed = await output(process.execPath, [path], { ...process.env, TMPDIR: folder });
  // What a line says it prints, `console.log(…); // like this`, it must print.
  for (const [, said] of code.matchAll(/console\.log\(.*\);? \/\/ ([^\n]*)$/gm)) {
    const expected = said!.split(/[:,] /)[0]!;
    t.match(printed, expected, `${name} prints ${expected}`);
  }
}

function isCommand(test: Test, line: string): void {
  const [, script] = /^npm (?:run )?(\S+)/.exec(line) ?? [];
  if (script !== undefined) test.ok(script in scripts, `${line}: a script of package.json`);
  else test.fail(`${line}: what is this?`);
}
