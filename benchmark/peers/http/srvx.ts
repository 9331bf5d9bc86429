/** The peer: srvx on stock node:http. `node srvx.js [port] [host]` */
import { BODY } from './hello.js';
import { installed } from './installed.js';

interface Srvx {
  serve(options: { port: number; hostname: string; silent: boolean; fetch(): Response }): {
    ready(): Promise<{ url?: string }>;
  };
}

const [port = '0', hostname = '127.0.0.1'] = process.argv.slice(2);

const { serve } = await installed<Srvx>('srvx');
// Without a length it sends chunks, which the load does not read.
const headers = { 'Content-Type': 'text/plain', 'Content-Length': String(BODY.length) };
const fetch = (): Response => new Response(BODY, { headers });
const { url } = await serve({ port: Number(port), hostname, silent: true, fetch }).ready();
console.log(`listening on ${new URL(url!).host}`);
