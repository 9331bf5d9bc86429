/**
 * docs/reference.md, made of the doc comments in the declarations that are shipped: `npm run reference`
 * writes it, docs/errors.md and the listing of the public API. test/reference.test.ts compares.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as ring from 'uasync/ring';
import { errorTable } from './error-table.js';
import { ROOT } from './programs.js';
import { LISTING, publicApi } from './public-api.js';

/** A public name, or a member of one. */
interface Documented {
  name: string;
  signature: string;
  /** What its doc comment says, on one line; '' if there is none. */
  text: string;
  /** What it throws or rejects with. */
  throws: string;
  members: Documented[];
}

/** Stands between the signatures of one function. */
const OVERLOAD = '\0';

interface Declaration {
  comment: string;
  head: string;
  body: string;
}

/** One line of a doc comment's text. */
function flat(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

/** A doc comment without its stars, by its tags. */
function parse(comment: string): { text: string; throws: string } {
  const plain = comment.replace(/^\s*\/\*\*|\*\/\s*$/g, '').replace(/^\s*\* ?/gm, '');
  const [text = '', ...tags] = plain.split(/^\s*@/m);
  const throws: string[] = [];
  const parameters: string[] = [];
  for (const tag of tags) {
    const [, kind, rest = ''] = /^(\w+)\s+([\s\S]*)$/.exec(tag) ?? [];
    if (kind === 'throws') throws.push(flat(rest).replace('(as a rejection) ', ''));
    else if (kind === 'param') parameters.push(flat(rest).replace(/^(\w+) /, '`$1`: '));
  }
  const sentences = [flat(text), ...parameters.map(line => (line.endsWith('.') ? line : `${line}.`))];
  return { text: sentences.filter(Boolean).join(' '), throws: throws.join(' ') };
}

/** The exported names of a declaration file, and the files that they come from. */
function exportsOf(file: string): Map<string, string> {
  const found = new Map<string, string>();
  const text = readFileSync(file, 'utf8');
  const beside = (from: string): string => join(dirname(file), from.replace(/\.js$/, '.d.ts'));
  for (const [, names, from] of text.matchAll(/^export (?:type )?\{([^}]*)\} from '(\.[^']+)'/gm)) {
    for (const name of names!.split(',')) {
      const plain = name.replace('type ', '').trim();
      if (plain !== '') found.set(plain, beside(from!));
    }
  }
  for (const [, from] of text.matchAll(/^export \* from '(\.[^']+)'/gm)) {
    for (const [name, home] of exportsOf(beside(from!))) found.set(name, home);
  }
  const declared = /^export (?:declare )?(?:abstract )?(?:function|class|interface|type|const) (\w+)/gm;
  for (const [, name] of text.matchAll(declared)) found.set(name!, file);
  return found;
}

/** The declaration of a name, which may be passed on from file to file. */
function declarationOf(name: string, file: string): Declaration {
  const text = readFileSync(file, 'utf8');
  const pattern = new RegExp(
    `^(/\\*\\*(?:(?!\\*/)[\\s\\S])*\\*/\\n)?((?:export |declare |abstract )*(?:class|interface|function|type|const) ${name}\\b[^\\n]*)\\n`,
    'm',
  );
  const match = pattern.exec(text);
  if (match !== null) {
    const [all, comment = '', head] = match;
    const start = match.index + all.length;
    const rest = text.slice(start, text.indexOf('\n}', start) + 2);
    // A function whose parameters take several lines has no members.
    if (!/\bfunction\b/.test(head!)) return { comment, head: head!, body: rest };
    const overloads = text.matchAll(
      new RegExp(`^export declare function ${name}\\b[\\s\\S]*?;\\n?(?![\\s}])`, 'gm'),
    );
    return { comment, head: [...overloads].join(OVERLOAD), body: '' };
  }
  const from = exportsOf(file).get(name);
  if (from === undefined || from === file) throw new Error(`${name} is not declared in ${file}`);
  return declarationOf(name, from);
}

/** Node's own functions, which uasync/fs passes on. */
const NODE_FS = `${ROOT}node_modules/@types/node/fs/promises.d.ts`;
const FS = `${ROOT}dist/src/fs/`;

/** The declaration of a name of uasync/fs: ours, or Node's where Node makes the call. */
function declarationInFs(name: string): Declaration {
  if (name === 'FileHandle') return declarationOf(name, `${FS}handle/file-handle.d.ts`);
  for (const [, from] of readFileSync(`${FS}api.js`, 'utf8').matchAll(/from '\.\/(.*)\.js'/g)) {
    const file = `${FS}${from}.d.ts`;
    const declares = new RegExp(`^export (?:declare )?(?:function|interface|type) ${name}\\b`, 'm');
    if (declares.test(readFileSync(file, 'utf8'))) return declarationOf(name, file);
  }
  const since = new RegExp(`/\\*\\* (Node \\d+); [^*]*\\*/\\nexport declare const ${name}:`);
  const [, version] = since.exec(readFileSync(`${FS}api.d.ts`, 'utf8')) ?? [];
  const overloads = readFileSync(NODE_FS, 'utf8').matchAll(
    new RegExp(`^ {4}function ${name}\\b[\\s\\S]*?;\\n(?=\\}| {4}[^\\s}])`, 'gm'),
  );
  return {
    comment: `/** Node's own${version === undefined ? '' : `, from ${version} on`}: \`fs.promises.${name}\`. */`,
    head: [...overloads].join(OVERLOAD) || `const ${name}: typeof promises.${name}`,
    body: '',
  };
}

/** A signature as a reader wants it. */
function readable(signature: string): string {
  return flat(signature)
    .replace(/^(?:get )(\w+)\(\)/, '$1')
    .replace(/^(?:export |declare |abstract |readonly |function )+/g, '')
    .replace(/; \}/g, ' }')
    .replace(/\?: ([^,)]*?) \| undefined/g, '?: $1')
    .replace(/;$/, '');
}

/** The members of a class or interface, also those of a base class that has no name in public. */
function membersOf({ head, body }: Declaration, file: string, names: ReadonlySet<string>): Documented[] {
  const members: Documented[] = [];
  const pattern = /^ {4}((?:\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n {4})?)([^\s*/}#[][\s\S]*?);\n(?= {4}[^\s}]|\})/gm;
  for (const [, comment, signature] of head.endsWith('{') ? body.matchAll(pattern) : []) {
    const plain = readable(signature!);
    const [, name] = /^(\w+)/.exec(plain)!;
    const seen = members.some(member => member.name === name && member.text !== '' && comment === '');
    if (/^set |^protected |^_/.test(plain) || (name === 'constructor' && comment === '') || seen) continue;
    members.push({ name: name!, signature: plain, ...parse(comment!), members: [] });
  }
  const [, base] = /(?:class|interface) .* extends (\w+)/.exec(head.replace(/<.*?>/g, '')) ?? [];
  if (base === undefined || base === 'Error' || base === 'Duplex' || names.has(base)) return members;
  const imported = new RegExp(`import .*\\b${base}\\b.* from '(\\..*)\\.js'`).exec(
    readFileSync(file, 'utf8'),
  );
  const baseFile = imported === null ? file : join(dirname(file), `${imported[1]}.d.ts`);
  if (!new RegExp(`class ${base}\\b`).test(readFileSync(baseFile, 'utf8'))) return members;
  const declaration = declarationOf(base, baseFile);
  for (const member of membersOf(declaration, baseFile, names)) {
    if (!members.some(({ name }) => name === member.name)) members.push(member);
  }
  return members;
}

/** Where a name is declared in the end. */
function homeOf(name: string, file: string): string {
  const from = exportsOf(file).get(name);
  return from === undefined || from === file ? file : homeOf(name, from);
}

/** Those of all entry points, but for what has Node's names: a base class here may have one of them. */
function publicNames(): Set<string> {
  const own = ENTRIES.filter(({ file }) => !file.startsWith('node/'));
  return new Set(own.flatMap(({ file }) => [...exportsOf(`${ROOT}dist/src/${file}`).keys()]));
}

/** Numbers that are listed, not described: `OP_NOP`. */
function isConstant(name: string): boolean {
  return /^[A-Z][A-Z0-9]*(_|$)/.test(name);
}

/** What an entry point exports, constants aside. */
export function documented(entry: string): Documented[] {
  const file = `${ROOT}dist/src/${entry}`;
  const names = publicNames();
  return [...exportsOf(file)]
    .filter(([name]) => !isConstant(name))
    .map(([exported, home]) => {
      const [inside, name = inside] = exported.split(' as ') as [string, string?];
      const inFs = entry.startsWith('fs/');
      const declaration = inFs ? declarationInFs(name) : declarationOf(inside, home);
      const from = inFs && name === 'FileHandle' ? `${FS}handle/file-handle.d.ts` : homeOf(inside, home);
      return {
        name,
        signature: declaration.head.replaceAll(inside, name).split(OVERLOAD).map(readable).join('\n'),
        ...parse(declaration.comment),
        members: membersOf(declaration, from, names),
      };
    });
}

/** The constants of an entry point, by what their names begin with. */
function constants(names: Record<string, unknown>): string {
  const groups = new Map<string, string[]>();
  for (const [name, value] of Object.entries(names)) {
    if (!isConstant(name) || typeof value !== 'number') continue;
    const group = name.includes('_') ? `${name.split('_')[0]}_` : 'others';
    groups.set(group, [...(groups.get(group) ?? []), `\`${name}\` ${value}`]);
  }
  const rows = [...groups].map(([group, all]) => `| \`${group}\` | ${all.join(', ')} |`);
  if (rows.length === 0) return '';
  return [
    '### Constants',
    '',
    'As in the kernel’s headers.',
    '',
    '| prefix | names and values |',
    '| --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function section({ name, signature, text, throws, members }: Documented, names: ReadonlySet<string>): string {
  const isFunction = signature.startsWith(`${name}(`);
  const isType = /^(?:type|const) /.test(signature);
  const [, bases = ''] = /extends (.*?)(?: implements .*)? \{$/.exec(signature.replace(/<.*?>/g, '')) ?? [];
  const inherited = bases
    .split(/\W+/)
    .filter(base => names.has(base))
    .map(base => ` It has what [${base}](#${base.toLowerCase()}) has.`);
  const lines = [`### ${name}`, ''];
  if (isFunction || isType) lines.push('```ts', signature, '```', '');
  lines.push(text + inherited.join(''));
  if (throws !== '') lines.push('', `Fails with: ${throws}`);
  if (members.length !== 0) {
    lines.push('', '| member | what it is |', '| --- | --- |');
    for (const member of members) {
      const fails = member.throws === '' ? '' : ` Fails with: ${member.throws}`;
      lines.push(`| \`${cell(member.signature)}\` | ${cell(member.text + fails)} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** Functions, then classes, then what they are given and give. */
function rank({ name, signature }: Documented): number {
  if (signature.startsWith(`${name}(`)) return 0;
  return signature.startsWith('class ') ? 1 : 2;
}

/** The entry points, and where their declarations are. */
export const ENTRIES = [
  { name: 'uasync', file: 'index.d.ts' },
  { name: 'uasync/net', file: 'net/index.d.ts' },
  { name: 'uasync/fs', file: 'fs/api.d.ts' },
  { name: 'uasync/http', file: 'http/index.d.ts' },
  { name: 'uasync/ring', file: 'ring/index.d.ts' },
  { name: 'uasync/register', file: 'node/register.d.ts' },
  { name: 'uasync/node/net', file: 'node/net.d.ts' },
  { name: 'uasync/node/dgram', file: 'node/dgram.d.ts' },
] as const;

/** docs/reference.md as it should be. */
export function reference(): string {
  const parts = [
    '# Reference',
    '',
    'Every public name, generated from the declarations and doc comments in the sources by `npm run reference`. Calls that wait for a peer take [WaitOptions](#waitoptions). Wrong arguments are a `TypeError` or `RangeError` with Node’s codes.',
    '',
    ...ENTRIES.map(({ name }) => `- [${name}](#${name.replaceAll('/', '')})`),
    '',
  ];
  const names = publicNames();
  const seen = new Map<string, string>();
  for (const { name, file } of ENTRIES) {
    parts.push(`## ${name}`, '');
    const sorted = documented(file).sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
    const sections = sorted.map(one => section(one, names));
    // Some are exported by several.
    const again = sorted.filter((one, i) => seen.get(one.name) === sections[i]);
    if (again.length !== 0) {
      const links = again.map(one => `[${one.name}](#${one.name.toLowerCase()})`);
      parts.push(`It also exports ${links.join(', ')}.`, '');
    }
    for (const [i, one] of sorted.entries()) {
      if (again.includes(one)) continue;
      seen.set(one.name, sections[i]!);
      parts.push(sections[i]!);
    }
    if (name === 'uasync/ring') parts.push(constants(ring));
  }
  return `${parts.join('\n').trimEnd()}\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) {
  writeFileSync(`${ROOT}docs/reference.md`, reference());
  writeFileSync(`${ROOT}docs/errors.md`, errorTable());
  writeFileSync(`${ROOT}${LISTING}`, publicApi());
}
