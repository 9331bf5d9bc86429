/** The application of Hono that every server in the scenario of frameworks has. */
import { Hono } from 'hono';
import { BODY } from './hello.js';

export function app(): Hono {
  const made = new Hono();
  made.get('/', context => context.text(BODY));
  return made;
}
