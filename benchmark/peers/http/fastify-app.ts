/** The application of Fastify that every server in its scenario has. */
import fastify, { type FastifyInstance } from 'fastify';
import { OBJECT } from './hello.js';

export async function app(): Promise<FastifyInstance> {
  const made = fastify();
  made.get('/', async () => OBJECT);
  await made.ready();
  return made;
}
