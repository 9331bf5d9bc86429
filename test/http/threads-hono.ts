/** An application of Hono, as other runtimes serve it. */
import { Hono } from 'hono';

const app = new Hono();
app.get('/', context => context.text('hono'));

export default app;
