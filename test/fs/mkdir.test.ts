/** `mkdir` with `recursive` against Node's: what it resolves to, what is made, and what it fails with. */
import nodeFs from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { checkLeaks, scratchFolder } from '../harness.js';
import { type Any, agreement } from './agreement.js';
import { treeOf } from './random-trees.js';

const agree = agreement(scratchFolder());
checkLeaks();

function prepare(at: string): void {
  nodeFs.mkdirSync(join(at, 'old', 'inner'), { recursive: true });
  nodeFs.writeFileSync(join(at, 'file'), '');
  nodeFs.symlinkSync('old', join(at, 'link'));
  nodeFs.symlinkSync('missing', join(at, 'dangling'));
  nodeFs.symlinkSync('file', join(at, 'to file'));
}

const PATHS =
  'old,new,old/inner,old/new,a/b/c/d,./a/b,a/b/,a//b,a/../b/c,a/.,..,../x/y,.,,file,file/x,link,link/a/b,dangling,dangling/a,to file,é/ü';

t.test('paths of every kind, from the root and from the current directory', async t => {
  const cwd = process.cwd();
  for (const path of PATHS.split(',')) {
    for (const mode of [undefined, 0o700, 0o777, 0o1755]) {
      const options = { recursive: true, mode };
      await agree(
        t,
        `${path}, ${mode}`,
        async (api, at) => [await api.mkdir(`${at}/${path}`, options), treeOf(at)],
        prepare,
      );
    }
    const below = async (api: Any, at: string): Promise<unknown> => {
      process.chdir(join(at, 'old'));
      try {
        return [await api.mkdir(path, { recursive: true }), treeOf(at)];
      } finally {
        process.chdir(cwd);
      }
    };
    await agree(t, `${path} from here`, below, prepare);
  }
  const long = 'x'.repeat(300);
  await agree(t, 'a long name', (api, at) => api.mkdir(`${at}/a/${long}`, { recursive: true }), prepare);
  await agree(t, 'bytes', (api, at) => api.mkdir(Buffer.from(`${at}/a/b`), { recursive: true }), prepare);
});

t.test('many at once, of the same path', async t => {
  await agree(t, 'twenty', async (api, at) => {
    const path = join(at, 'a', 'b', 'c');
    const made = await Promise.all(Array.from({ length: 20 }, () => api.mkdir(path, { recursive: true })));
    return [made.some(first => first === join(at, 'a')), nodeFs.existsSync(path)];
  });
});
