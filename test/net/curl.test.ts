/** curl talks to node:http and node:https, which run on connections of ours. */
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { checkLeaks, scratchFolder } from '../harness.js';
import { certificate, httpServer } from './node-servers.js';
import { pattern } from './sockets.js';

checkLeaks();

const folder = scratchFolder();
const run = promisify(execFile);

async function curl(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return run('curl', ['--silent', '--show-error', '--http1.1', '--max-time', '250', ...args], {
    maxBuffer: 1 << 26,
  });
}

const { error } = spawnSync('curl', ['--version']);
const missing = error !== undefined && `curl is not to be had: ${error.message}`;
const own = certificate();

/** Answers a GET with its path, a POST with the digest of what was posted. */
const handler: RequestListener = async (request, response) => {
  if (request.method === 'GET') {
    response.end(`${request.url}\n`);
    return;
  }
  const hash = createHash('sha256');
  for await (const chunk of request) hash.update(chunk as Buffer);
  response.end(hash.digest('hex'));
};

const noCertificate = own === null && 'openssl is not to be had';

for (const { name, secure } of [
  { name: 'HTTP', secure: false },
  { name: 'HTTPS', secure: true },
]) {
  const options = secure && own !== null ? { key: own.key, cert: own.cert } : {};
  const trust = secure && own !== null ? ['--cacert', own.path] : [];

  t.test(`curl over ${name}`, { skip: missing || (secure && noCertificate) }, async t => {
    const served = await httpServer(t, handler, options);
    const url = `${secure ? 'https' : 'http'}://localhost:${served.port}`;
    const args = ['--resolve', `localhost:${served.port}:127.0.0.1`, ...trust];

    const { stdout } = await curl(...args, '--include', `${url}/one?two=3`);
    t.match(stdout, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n\/one\?two=3\n$/);

    const { connections } = served;
    const many = await curl(...args, `${url}/a`, `${url}/b`, `${url}/c`);
    t.equal(many.stdout, '/a\n/b\n/c\n');
    t.equal(served.connections, connections + 1, 'they share a connection');

    const body = pattern(10_000_000);
    const file = join(folder, 'body');
    writeFileSync(file, body);
    const digest = createHash('sha256').update(body).digest('hex');
    const posted = await curl(...args, '--data-binary', `@${file}`, '-H', 'Expect:', `${url}/`);
    t.equal(posted.stdout, digest);

    const asked = await curl(
      ...args,
      '--verbose',
      '--data-binary',
      `@${file}`,
      '-H',
      'Expect: 100-continue',
      url,
    );
    t.match(asked.stderr, /< HTTP\/1\.1 100 Continue/);
    t.equal(asked.stdout, digest);

    const chunked = await curl(
      ...args,
      '--upload-file',
      file,
      '-H',
      'Transfer-Encoding: chunked',
      `${url}/put`,
    );
    t.equal(chunked.stdout, digest);
  });
}
