/** What the threads of threads.test.ts serve. */
import { threadId } from 'node:worker_threads';
import { Response } from 'uasync/http';

export default {
  keepAliveTimeout: 200,
  fetch: (request: Request): Response =>
    new Response(request.url.endsWith('/id') ? `${threadId}` : new URL(request.url).pathname),
};
