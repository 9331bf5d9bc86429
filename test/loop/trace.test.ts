/** `NODE_DEBUG=uasync`: a line for each start, completion and cancel. */
import { execFile } from 'node:child_process';
import t from 'tap';
import { built, ROOT } from '../programs.js';
import '../patience.js';

/** What the program says on its standard error, with this NODE_DEBUG. */
function traced(sections: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, NODE_DEBUG: sections };
    const args = [built('test/fixtures/traced.js')];
    execFile(process.execPath, args, { cwd: ROOT, env, timeout: 200_000 }, (error, _stdout, stderr) => {
      if (error === null) resolve(stderr);
      else reject(error);
    });
  });
}

t.test('everything', async t => {
  const text = await traced('uasync');
  for (const line of [
    /^UASYNC \d+: start #(\d+) Listener fd \d+ accept$/m,
    /^UASYNC \d+: event #\d+ Listener fd \d+ accept: \d+$/m,
    /^UASYNC \d+: start #\d+ Connection connect to 127\.0\.0\.1:\d+$/m,
    /^UASYNC \d+: event #\d+ Connection fd \d+ read: 5$/m,
    /^UASYNC \d+: end #\d+ Connection fd \d+ write: 5$/m,
    /^UASYNC \d+: start #\d+ Timer timeout$/m,
    /^UASYNC \d+: end #\d+ Timer timeout: ETIME$/m,
    /^UASYNC \d+: cancel #\d+ Timer timeout$/m,
    /^UASYNC \d+: end #\d+ Timer timeout: ECANCELED$/m,
    /^UASYNC \d+: start #\d+ File mkdir '\/proc\/nothing'$/m,
    /^UASYNC \d+: end #\d+ File mkdir '\/proc\/nothing': ENOENT$/m,
  ]) {
    t.match(text, line);
  }
  const starts = text.match(/: start #/g)!.length;
  t.equal(text.match(/: end #/g)!.length, starts, 'all that starts ends');
});

t.test('some sections, or none', async t => {
  const some = await traced('uasync:fs,uasync:net');
  t.match(some, /^UASYNC:FS \d+: start #\d+ File mkdir/m);
  t.match(some, /^UASYNC:NET \d+: start #\d+ Listener/m);
  t.notMatch(some, /Timer/);
  t.equal(await traced('http'), '');
});
