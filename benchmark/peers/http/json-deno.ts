/** The peer: Deno's own HTTP server, JSON. `deno run --allow-net json-deno.js [port] [host]` */
import { serve } from './deno-serve.js';
import { answer } from './json.js';

serve(request => answer(request, Response as never));
