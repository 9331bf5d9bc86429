/** The peer: Hono on Bun's own HTTP server. `bun hono-bun.js [port] [host]` */
import { serve } from './bun-serve.js';
import { app } from './hono-app.js';

const { fetch } = app();
serve(request => fetch(request));
