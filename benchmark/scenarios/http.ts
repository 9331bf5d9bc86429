/** HTTP: node:http on connections of uasync beside stock HTTP. */
import { server } from '../contenders.js';
import { http as load } from '../load.js';
import { BODY } from '../peers/http/hello.js';
import { HTTP_PEERS } from '../peers.js';
import type { Scenario } from '../scenario.js';

export const http: Scenario[] = [
  {
    name: 'http.hello',
    title: 'GET of 14 bytes, 50 connections kept alive',
    operation: 'request',
    quick: true,
    contenders: HTTP_PEERS.map(peer => server(peer, (target, seconds) => load(target, 50, BODY, seconds))),
  },
];
