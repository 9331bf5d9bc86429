/** The peer: Deno's own HTTP server. `deno run --allow-net deno.js [port] [host]` */
import { serve } from './deno-serve.js';
import { BODY } from './hello.js';

serve(() => new Response(BODY, { headers: { 'Content-Type': 'text/plain' } }));
