/** The entry points of the package, as programs of either module system load them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { output, ROOT } from './programs.js';
import './patience.js';

const { exports, engines } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  exports: Record<string, unknown>;
  engines: { node: string };
};

// uasync/thread-entry is a program, for bundlers.
for (const path of Object.keys(exports).filter(path => typeof exports[path] === 'object')) {
  const entry = path.replace('.', 'uasync');
  t.test(`require('${entry}') gives what import('${entry}') does`, async t => {
    const program = `
      const required = require('${entry}');
      import('${entry}').then(imported => {
        const names = Object.keys(imported);
        console.log(names.length > 0, names.every(name => required[name] === imported[name]));
      });`;
    t.equal(await output(process.execPath, ['-e', program]), 'true true\n');
  });

  t.test(`import('${entry}') loads no addon, so that it works on every platform`, async t => {
    const program = `import('${entry}').then(() => console.log('imported'));`;
    t.equal(await output(process.execPath, ['--no-addons', '-e', program]), 'imported\n');
  });
}

t.test('functions and classes have the names of their sources', async t => {
  for (const [path, to] of Object.entries(exports)) {
    if (typeof to !== 'object') continue;
    const { types, default: bundle } = to as { types: string; default: string };
    const [bundled, source] = await Promise.all([
      import(join(ROOT, bundle)),
      import(join(ROOT, types.replace('.d.ts', '.js'))),
    ]);
    for (const [name, value] of Object.entries(source))
      if (typeof value === 'function') t.equal(bundled[name].name, value.name, `${name} of ${path}`);
  }
});

t.test('an uncaught error does not print a whole bundle: Node shows the line that has thrown', t => {
  const folder = join(ROOT, 'dist', 'bundle');
  for (const file of readdirSync(folder).filter(name => name.endsWith('.js'))) {
    const longest = Math.max(
      ...readFileSync(join(folder, file), 'utf8')
        .split('\n')
        .map(line => line.length),
    );
    t.ok(longest < 2000, `${file}: ${longest}`);
  }
  t.end();
});

t.test('the oldest Nodes that are named load ES modules by require', async t => {
  t.equal(engines.node, '^20.19 || >=22.12');
  t.ok('require_module' in process.features, 'process.features.require_module came with 20.19 and 22.10');
});
