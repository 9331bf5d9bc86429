/** HTTP: uasync/http, and node:http on connections of uasync, compared with stock HTTP. */
import { server } from '../contenders.js';
import { http as load } from '../load.js';
import { BODY } from '../peers/http/hello.js';
import { GET_ANSWER, GET_REQUEST, POST_ANSWER, POST_REQUEST } from '../peers/http/json.js';
import { HTTP_JSON_PEERS, HTTP_PEERS } from '../peers.js';
import type { Scenario } from '../scenario.js';

export const http: Scenario[] = [
  {
    name: 'http.hello',
    title: 'GET of 14 bytes, 50 connections kept alive',
    operation: 'request',
    quick: true,
    contenders: HTTP_PEERS.map(peer => server(peer, (target, seconds) => load(target, 50, BODY, seconds))),
  },
  {
    name: 'http.hello.500',
    title: 'GET of 14 bytes, 500 connections kept alive',
    operation: 'request',
    contenders: HTTP_PEERS.map(peer => server(peer, (target, seconds) => load(target, 500, BODY, seconds))),
  },
  {
    name: 'http.query',
    title: 'GET with 20 headers and a query, answered with JSON, 50 connections',
    operation: 'request',
    contenders: HTTP_JSON_PEERS.map(peer =>
      server(peer, (target, seconds) => load(target, 50, GET_ANSWER, seconds, GET_REQUEST)),
    ),
  },
  {
    name: 'http.post',
    title: 'POST of 1 KiB of JSON, answered with JSON, 50 connections',
    operation: 'request',
    contenders: HTTP_JSON_PEERS.map(peer =>
      server(peer, (target, seconds) => load(target, 50, POST_ANSWER, seconds, POST_REQUEST)),
    ),
  },
];
