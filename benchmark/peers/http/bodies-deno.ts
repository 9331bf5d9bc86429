/** The peer: Deno's own HTTP server, streams. `deno run --allow-net bodies-deno.js [port] [host]` */
import { answer } from './bodies.js';
import { serve } from './deno-serve.js';

serve(request => answer(request, Response as never));
