/**
 * `npm run bundle`: the files that users get in dist/bundle, one for each entry point, and the chunks that they share.
 * Node's modules are taken by `process.getBuiltinModule`, as an `import` of one makes a module around it with all of
 * its properties, and reading some of them loads more of Node.
 */
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, relative } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { ROOT } from './programs.js';

const ENTRIES: Record<string, string> = {
  index: 'src/index.ts',
  ring: 'src/ring/index.ts',
  net: 'src/net/index.ts',
  fs: 'src/fs/index.ts',
  http: 'src/http/index.ts',
  register: 'src/node/register.ts',
  'node-net': 'src/node/net.ts',
  'node-dgram': 'src/node/dgram.ts',
  cli: 'src/cli.ts',
  // What threads run.
  'thread-entry': 'src/threads/thread-entry.ts',
  'http-thread-entry': 'src/http/server/http-thread-entry.ts',
  // What others load on first use.
  'datagram-handles': 'src/node/datagram/handles.ts',
  'loop-files': 'src/node/files/loop-files.ts',
  'net-parts': 'src/node/net-parts.ts',
};

/** Entry points that load the loop later, or never. */
const WITHOUT_LOOP = ['register', 'node-dgram', 'cli'];
const WITH_FILES = ['fs', 'http', 'http-thread-entry', 'loop-files'];
const WITH_NODES_SOCKETS = ['node-net', 'net-parts'];
const WITH_SOCKETS = ['net', 'http', 'thread-entry', 'http-thread-entry', 'node-net', 'net-parts'];
/** What `serveNode` imports: it is only loaded where `http` is. */
const NODE_SERVER = 'src/http/server/node-server.ts';
/** What `cli` imports when it knows the command. */
const DYNAMIC = ['src/doctor/examine.ts', 'src/doctor/findings.ts', 'src/doctor/text.ts'];

/** Whether all of what the running Node's module has is exported. */
function isReexport(path: string, importer: string): boolean {
  return path === 'node:net' && importer === join(ROOT, 'src/node/net.ts');
}

/** Node's module whose functions programs mock: one module takes them, when the package is imported. */
const MOCKED = 'node:fs';

/** The values that sources import by name of one of Node's modules. */
function importedNames(sources: string[], module: string): string[] {
  const names = sources.flatMap(source => {
    const text = readFileSync(source, 'utf8');
    const imports = [...text.matchAll(/^import (?:\w+, )?\{([^}]*)\} from '(node:[^']+)';$/gm)];
    return imports.filter(([, , from]) => from === module).flatMap(([, list]) => list!.split(','));
  });
  const plain = names.map(name => name.trim().split(' as ')[0]!);
  return [...new Set(plain.filter(name => name !== '' && !name.startsWith('type ')))];
}

function allSources(): string[] {
  const folder = join(ROOT, 'src');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files.filter(name => name.endsWith('.ts')).map(name => join(folder, name));
}

/** Takes only what the importer needs: reading a property may load more of Node. Names of our own stay free. */
function textOf(module: string, importer: string): string {
  const names = importedNames(module === MOCKED ? allSources() : [importer], module);
  const taken = names.map(name => `const node_${name} = all.${name};\nexport { node_${name} as ${name} };`);
  return `const all = process.getBuiltinModule('${module}');\nexport default all;\n${taken.join('\n')}`;
}

const BUILTIN = 'builtin';

const builtins: Plugin = {
  name: 'builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path, kind, importer }) =>
      kind === 'import-statement' && isBuiltin(path) && !isReexport(path, importer)
        ? {
            path: path === MOCKED ? path : `${path} ${importer}`,
            namespace: BUILTIN,
            pluginData: { module: path, importer },
          }
        : { path, external: true },
    );
    onLoad({ filter: /^/, namespace: BUILTIN }, ({ pluginData: { module, importer } }) => ({
      contents: textOf(module, importer),
      loader: 'js',
    }));
  },
};

const OPTIONS = {
  absWorkingDir: ROOT,
  entryPoints: ENTRIES,
  outdir: join(ROOT, 'dist', 'bundle'),
  bundle: true,
  splitting: true,
  metafile: true,
  define: { BUNDLED: 'true' },
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  // Chunks are formed here, so that files without effects are imported, too.
  ignoreAnnotations: true,
  minifyWhitespace: true,
  // Node prints the line of an uncaught error.
  lineLimit: 120,
  sourcemap: true,
  sourcesContent: false,
  logLevel: 'warning',
} satisfies BuildOptions;

/** The sources of an entry point. */
async function sourcesOf(entry: string): Promise<Set<string>> {
  const entryPoints = [ENTRIES[entry]!];
  const { metafile } = await build({
    ...OPTIONS,
    entryPoints,
    splitting: false,
    plugins: [builtins],
    write: false,
  });
  return new Set(Object.keys(metafile.inputs).filter(source => !source.startsWith(BUILTIN)));
}

function shared(some: Set<string>, others: Set<string>): string[] {
  return [...some].filter(source => others.has(source));
}

/**
 * What entry points import beside what they need: the bundler makes a chunk of all sources that the same entry points
 * use, and many small files take longer to load than a few large ones.
 */
async function additions(): Promise<Map<string, string[]>> {
  const [net, fs, http, node, register] = (await Promise.all(
    ['net', 'fs', 'http', 'node-net', 'register'].map(sourcesOf),
  )) as [Set<string>, Set<string>, Set<string>, Set<string>, Set<string>];
  const looped = shared(net, fs);
  const early = [MOCKED, ...shared(fs, register)];
  const added = new Map([...Object.values(ENTRIES), NODE_SERVER, ...DYNAMIC].map(path => [path, early]));
  function add(entries: string[], sources: Iterable<string>): void {
    const others = [...sources].filter(source => !Object.values(ENTRIES).includes(source));
    for (const path of entries) added.set(path, [...added.get(path)!, ...others]);
  }
  const paths = (entries: string[]): string[] => entries.map(entry => ENTRIES[entry]!);
  const withLoop = Object.keys(ENTRIES).filter(entry => !WITHOUT_LOOP.includes(entry));
  add([...paths(withLoop), NODE_SERVER, ...DYNAMIC], looped);
  add([...paths(WITH_FILES), NODE_SERVER], fs);
  add([...paths(WITH_SOCKETS), NODE_SERVER], shared(net, http));
  add([...paths(WITH_NODES_SOCKETS), NODE_SERVER], node);
  return added;
}

/** Adds imports to entry points. */
function importing(added: Map<string, string[]>): Plugin {
  return {
    name: 'additions',
    setup({ onLoad }) {
      onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => {
        const sources = added.get(relative(ROOT, path));
        if (sources === undefined) return undefined;
        const lines = sources.map(source => `import '${source === MOCKED ? source : join(ROOT, source)}';`);
        return { contents: `${readFileSync(path, 'utf8')}\n${lines.join('\n')}`, loader: 'ts' };
      });
    },
  };
}

/**
 * A class that refers to itself is bundled as `X = class _X`. Its name is what users see of its objects; a blank takes
 * the place of the underscore, for the source map.
 */
function withNames(text: string): string {
  const classes = new Set([...text.matchAll(/\b(\w+)=class _\1\b/g)].map(([, name]) => name!));
  return text.replaceAll(/(?<![\w$.#])_(\w+)\b/g, (whole, name) => (classes.has(name) ? `${name} ` : whole));
}

rmSync(OPTIONS.outdir, { recursive: true, force: true });
const plugins = [builtins, importing(await additions())];
const { outputFiles } = await build({ ...OPTIONS, plugins, write: false });
mkdirSync(OPTIONS.outdir, { recursive: true });
for (const { path, text } of outputFiles) writeFileSync(path, path.endsWith('.js') ? withNames(text) : text);
chmodSync(join(OPTIONS.outdir, 'cli.js'), 0o755);
