/**
 * docs/reference.md, made of the doc comments in the declarations that are shipped: `npm run reference`
 * writes it, and test/reference.test.ts compares.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './programs.js';

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
  for (const [, names, from] of text.matchAll(/^export (?:type )?\{([^}]*)\} from '([^']+)'/gm)) {
    for (const name of names!.split(',')) {
      const plain = name.replace('type ', '').trim();
      if (plain !== '') found.set(plain, join(dirname(file), from!.replace(/\.js$/, '.d.ts')));
    }
  }
  for (const [, name] of text.matchAll(/^export declare function (\w+)/gm)) found.set(name!, file);
  return found;
}

/** The declaration of a name, which may be passed on from file to file. */
function declarationOf(name: string, file: string): Declaration {
  const text = readFileSync(file, 'utf8');
  const pattern = new RegExp(
    `^(/\\*\\*(?:(?!\\*/)[\\s\\S])*\\*/\\n)?((?:export |declare |abstract )*(?:class|interface|function|type) ${name}\\b[^\\n]*)\\n`,
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
  const [, base] = /class .* extends (\w+)/.exec(head.replace(/<.*?>/g, '')) ?? [];
  if (base === undefined || base === 'Error' || base === 'Duplex' || names.has(base)) return members;
  const from = new RegExp(`import .*\\b${base}\\b.* from '(.*)\\.js'`).exec(readFileSync(file, 'utf8'))![1]!;
  const baseFile = join(dirname(file), `${from}.d.ts`);
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

/** Those of all entry points. */
function publicNames(): Set<string> {
  return new Set(ENTRIES.flatMap(({ file }) => [...exportsOf(`${ROOT}dist/src/${file}`).keys()]));
}

/** What an entry point exports. */
export function documented(entry: string): Documented[] {
  const file = `${ROOT}dist/src/${entry}`;
  const exported = exportsOf(file);
  return [...exported.keys()].map(name => {
    const declaration = declarationOf(name, file);
    return {
      name,
      signature: declaration.head.split(OVERLOAD).map(readable).join('\n'),
      ...parse(declaration.comment),
      members: membersOf(declaration, homeOf(name, file), publicNames()),
    };
  });
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function section({ name, signature, text, throws, members }: Documented, names: ReadonlySet<string>): string {
  const isFunction = signature.startsWith(`${name}(`);
  const isType = signature.startsWith('type ');
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
] as const;

/** docs/reference.md as it should be. */
export function reference(): string {
  const parts = [
    '# Reference',
    '',
    'Every public name of `uasync` and `uasync/net`, from the comments in the sources: `npm run reference` writes this page. What waits on a peer takes [WaitOptions](#waitoptions); wrong arguments are a `TypeError` or `RangeError` with Node’s codes. Files: [fs.md](fs.md). The ring: [ring.md](ring.md).',
    '',
  ];
  for (const { name, file } of ENTRIES) {
    parts.push(`## ${name}`, '');
    const sorted = documented(file).sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
    for (const one of sorted) parts.push(section(one, publicNames()));
  }
  return `${parts.join('\n').trimEnd()}\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) {
  writeFileSync(`${ROOT}docs/reference.md`, reference());
}
