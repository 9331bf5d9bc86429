/** The peer: Bun's own HTTP server, JSON. `bun json-bun.js [port] [host]` */
import { serve } from './bun-serve.js';
import { answer } from './json.js';

serve(request => answer(request, Response as never));
