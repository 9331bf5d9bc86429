/** An HTTP proxy on Bun's own server and client. `bun http-proxy-bun.js UPSTREAM [port] [host]` */
import { serve } from '../http/bun-serve.js';

const upstream = process.argv[2]!;

serve(({ url, method, headers, body }) => {
  const { pathname, search } = new URL(url);
  return fetch(new URL(pathname + search, upstream), { method, headers, body, redirect: 'manual' });
}, 1);
