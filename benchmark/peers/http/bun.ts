/** The peer: Bun's own HTTP server. `bun bun.js [port] [host]` */
import { serve } from './bun-serve.js';
import { BODY } from './hello.js';

serve(() => new Response(BODY, { headers: { 'Content-Type': 'text/plain' } }));
