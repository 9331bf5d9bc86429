/** The peer: Bun's own HTTP server, streams. `bun bodies-bun.js [port] [host]` */
import { answer } from './bodies.js';
import { serve } from './bun-serve.js';

serve(request => answer(request, Response as never));
