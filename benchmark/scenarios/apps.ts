/**
 * Applications: the same program on Node's own modules, on those with `uasync/register`, on uasync, and on Bun. A static
 * site is in the scenarios of HTTP.
 */
import { join } from 'node:path';
import { compile } from '../compile.js';
import { behind, type Load, server, worker } from '../contenders.js';
import { datagrams, exchange, http as requests, stream } from '../load.js';
import { BODY } from '../peers/http/hello.js';
import { bun, node, onBoth, type Peer, registered } from '../peers.js';
import type { Contender, Scenario } from '../scenario.js';
import { logFolder, packageTree } from './app-files.js';

const APPS = 'benchmark/peers/apps';

/** The programs of an application. */
interface Programs {
  uasync: string;
  /** On Node's modules: for Node, `register`, and Bun if it has none of its own. */
  node: string;
  bun?: string;
}

/** @param ours arguments for the program on uasync. @param others those for the others. */
function peersOf({ uasync, node: nodes, bun: native }: Programs, ours: string[], others = ours): Peer[] {
  return [
    ...onBoth(() => node(uasync, ...ours)),
    { name: 'node', command: () => node(nodes, ...others) },
    { name: 'register', command: () => [...registered('net,dgram,fs', nodes), ...others] },
    native === undefined
      ? { name: 'bun-node', command: () => bun(nodes, ...others) }
      : { name: 'bun', command: () => bun(native, ...others) },
  ];
}

/** Servers under a load. */
function servers(programs: Programs, load: Load): Contender[] {
  return peersOf(programs, []).map(peer => server(peer, load));
}

/** Servers under a load that need another server; they take where it listens. */
function gateways(
  upstream: () => string[],
  programs: Programs,
  where: (port: number) => string,
  load: Load,
): Contender[] {
  const peers = (port: number): Peer[] => peersOf(programs, [where(port)]);
  return peers(0).map(({ name }, i) => behind(upstream, name, port => server(peers(port)[i]!, load)));
}

/** A program that works by itself; it takes `uasync` or `node`, and more arguments. */
function workers(program: string, more: () => string[]): Contender[] {
  const programs = { uasync: program, node: program };
  return peersOf(programs, []).map(({ name }, i) =>
    worker(name, () => peersOf(programs, ['uasync', ...more()], ['node', ...more()])[i]!.command()),
  );
}

const STORE: Programs = { uasync: `${APPS}/store-uasync.ts`, node: `${APPS}/store-node.ts` };
const KEY = '$12\r\nkey:00000000\r\n';
const VALUE = `$32\r\n00000000${'x'.repeat(24)}\r\n`;
/** A value is stored, and read again. */
const SET_AND_GET = `*3\r\n$3\r\nSET\r\n${KEY}${VALUE}*2\r\n$3\r\nGET\r\n${KEY}`;

function stores(depth: number): Contender[] {
  const shape = { conns: 50, request: SET_AND_GET, answer: `+OK\r\n${VALUE}`, depth };
  return servers(STORE, (target, seconds) => exchange(target, shape, seconds));
}

export const apps: Scenario[] = [
  {
    name: 'apps.store',
    title: 'a key-value server (RESP), 50 clients, SET and GET of 32 B',
    operation: 'pair of commands',
    contenders: stores(1),
  },
  {
    name: 'apps.store.16',
    title: 'the same, 16 such pairs pipelined',
    operation: 'pair of commands',
    contenders: stores(16),
  },
  {
    name: 'apps.proxy.tcp',
    title: 'a TCP proxy, 50 connections x 512 B',
    operation: 'round trip',
    contenders: gateways(
      () => [compile('benchmark/peers/tcp/epoll.c')],
      { uasync: 'examples/proxy.ts', node: `${APPS}/tcp-proxy-node.ts` },
      port => `127.0.0.1:${port}`,
      (target, seconds) => stream(target, { conns: 50, size: 512, depth: 1 }, seconds),
    ),
  },
  {
    name: 'apps.proxy.http',
    title: 'an HTTP proxy, 50 connections, GET of 14 bytes',
    operation: 'request',
    contenders: gateways(
      () => node('benchmark/peers/http/uasync-fetch.ts'),
      {
        uasync: 'examples/http/proxy.ts',
        node: `${APPS}/http-proxy-node.ts`,
        bun: `${APPS}/http-proxy-bun.ts`,
      },
      port => `http://127.0.0.1:${port}`,
      (target, seconds) => requests(target, { conns: 50, body: BODY }, seconds),
    ),
  },
  {
    name: 'apps.dns',
    title: 'a DNS forwarder, 16 clients x 64 B, 8 questions each',
    operation: 'question',
    contenders: gateways(
      () => [compile('benchmark/peers/udp/mmsg.c')],
      { uasync: `${APPS}/dns-uasync.ts`, node: `${APPS}/dns-node.ts` },
      String,
      (target, seconds) => datagrams(target, { conns: 16, size: 64, depth: 8 }, seconds),
    ),
  },
  {
    name: 'apps.logs',
    title: 'a log shipper: lines of a file, filtered, to a collector over TCP',
    operation: 'line',
    contenders: workers(`${APPS}/logs.ts`, () => []).map(({ name }, i) =>
      behind(
        () => node(`${APPS}/collector.ts`),
        name,
        port => workers(`${APPS}/logs.ts`, () => [String(port), join(logFolder(), 'log')])[i]!,
      ),
    ),
  },
  {
    name: 'apps.hash',
    title: 'SHA-256 of a tree of 2,000 files like node_modules',
    operation: 'file',
    contenders: workers(`${APPS}/hash.ts`, () => [packageTree()]),
  },
];
