/** HTTP: uasync/http, and node:http on connections of uasync, compared with stock HTTP. */
import { idleServer, type Load, server } from '../contenders.js';
import { type BodyShape, bodies, GET, type HttpShape, http as load } from '../load.js';
import { LARGE, SMALL } from '../peers/http/bodies.js';
import { BODY, OBJECT } from '../peers/http/hello.js';
import { GET_ANSWER, GET_REQUEST, POST_ANSWER, POST_REQUEST } from '../peers/http/json.js';
import {
  FASTIFY_PEERS,
  HONO_PEERS,
  HTTP_BODY_PEERS,
  HTTP_JSON_PEERS,
  HTTP_PEERS,
  httpFilePeers,
  type Peer,
  SRVX,
} from '../peers.js';
import type { Scenario } from '../scenario.js';
import { httpFiles } from './http-files.js';

function under(run: Load, name: string, title: string, peers: Peer[]): Scenario {
  return { name, title, operation: 'request', contenders: peers.map(peer => server(peer, run)) };
}

function requests(name: string, title: string, peers: Peer[], shape: HttpShape): Scenario {
  return under((target, seconds) => load(target, shape, seconds), name, title, peers);
}

function large(name: string, title: string, peers: Peer[], shape: BodyShape): Scenario {
  return under((target, seconds) => bodies(target, shape, seconds), name, title, peers);
}

const FILE_PEERS = httpFilePeers(httpFiles);
const IDLE = 10_000;
const PACED = { conns: 50, body: BODY, rate: 10_000 };
/** The maximum of what a server answers to a small request. */
const ANSWER_MAX = 4096;

export const http: Scenario[] = [
  {
    ...requests('http.hello', 'GET of 14 bytes, 50 connections kept alive', [...HTTP_PEERS, SRVX], {
      conns: 50,
      body: BODY,
    }),
    quick: true,
  },
  requests('http.hello.500', 'GET of 14 bytes, 500 connections kept alive', HTTP_PEERS, {
    conns: 500,
    body: BODY,
  }),
  requests('http.pipelined', 'GET of 14 bytes, 16 pipelined, 50 connections', HTTP_PEERS, {
    conns: 50,
    body: BODY,
    depth: 16,
  }),
  {
    name: 'http.paced.10k',
    title: 'GET of 14 bytes, 10,000 requests a second on 50 connections',
    operation: 'request',
    headline: 'latency',
    contenders: HTTP_PEERS.map(peer =>
      server(peer, (target, seconds) => load(target, PACED, seconds), { paced: true }),
    ),
  },
  requests('http.query', 'GET with 20 headers and a query, answered with JSON', HTTP_JSON_PEERS, {
    conns: 50,
    body: GET_ANSWER,
    request: GET_REQUEST,
  }),
  requests('http.post', 'POST of 1 KiB of JSON, answered with JSON', HTTP_JSON_PEERS, {
    conns: 50,
    body: POST_ANSWER,
    request: POST_REQUEST,
  }),
  requests('http.hono', 'GET of 14 bytes, Hono; of Node by @hono/node-server', HONO_PEERS, {
    conns: 50,
    body: BODY,
  }),
  requests('http.fastify', 'GET of a small object, Fastify; of uasync by serveNode', FASTIFY_PEERS, {
    conns: 50,
    body: JSON.stringify(OBJECT),
  }),
  large('http.file.30k', 'a file of 30 KB, 50 connections; of Node by send', FILE_PEERS, {
    conns: 50,
    method: 'get',
    path: '/small',
    size: SMALL,
  }),
  large('http.file.10m', 'a file of 10 MiB, 4 connections; of Node by send', FILE_PEERS, {
    conns: 4,
    method: 'get',
    path: '/large',
    size: LARGE,
  }),
  large('http.download', 'a streamed answer of 10 MiB, 4 connections', HTTP_BODY_PEERS, {
    conns: 4,
    method: 'get',
    path: '/',
    size: LARGE,
  }),
  large('http.upload', 'a POST of 10 MiB read as a stream, 4 connections', HTTP_BODY_PEERS, {
    conns: 4,
    method: 'post',
    path: '/',
    size: LARGE,
  }),
  {
    name: 'http.idle',
    title: '10,000 connections that are kept alive: a request on each, then idle',
    operation: 'connection',
    headline: 'resident',
    contenders: HTTP_PEERS.map(peer => idleServer(peer, IDLE, ANSWER_MAX, GET)),
  },
];
