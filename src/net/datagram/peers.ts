/** Caches the addresses of datagram senders as text, to avoid formatting one for each datagram. */
import { AF_INET, AF_INET6, readSockaddr } from '../../sys/socket/sockaddr.js';

/** The sender of a datagram. */
interface Peer {
  readonly address: string;
  readonly port: number;
  readonly family: 'IPv4' | 'IPv6' | 'Unix';
}

/** The number of recent peers to keep; a power of two. */
const SLOTS = 1024;
/** Words of a struct sockaddr_in6, rounded up to a power of two. */
const WORDS = 8;

const keys = new Int32Array(SLOTS * WORDS);
const peers: Peer[] = [];

/** Uses the upper bits, which are mixed best. */
function slotOf(hash: number): number {
  return Math.imul(hash, 0x9e3779b1) >>> 22;
}

/**
 * The peer whose sockaddr of `length` bytes is at `bytes[at]`; `words` is the same memory, `at` a multiple
 * of four.
 */
export function peerAt(bytes: Buffer, words: Int32Array, at: number, length: number): Peer {
  const word = at >> 2;
  const first = words[word]!;
  if (length >= 16) {
    // The first word is the family and the port.
    if ((first & 0xffff) === AF_INET) return inetPeer(bytes, words, word, first);
    if ((first & 0xffff) === AF_INET6) return inet6Peer(bytes, words, word, first, length);
  }
  return readPeer(bytes, at, length);
}

function inetPeer(bytes: Buffer, words: Int32Array, word: number, first: number): Peer {
  const second = words[word + 1]!;
  const slot = slotOf(first ^ Math.imul(second, 0x85ebca6b));
  const key = slot * WORDS;
  if (keys[key] === first && keys[key + 1] === second) return peers[slot]!;
  keys[key] = first;
  keys[key + 1] = second;
  const peer = readPeer(bytes, word << 2, 16);
  peers[slot] = peer;
  return peer;
}

function inet6Peer(bytes: Buffer, words: Int32Array, word: number, first: number, length: number): Peer {
  // Without the flow label, which differs between datagrams of one peer.
  const hash = Math.imul(words[word + 2]! ^ words[word + 3]!, 31) ^ words[word + 4]! ^ words[word + 5]!;
  const slot = slotOf(first ^ Math.imul(hash, 0x85ebca6b));
  const key = slot * WORDS;
  if (
    keys[key] === first &&
    keys[key + 2] === words[word + 2] &&
    keys[key + 3] === words[word + 3] &&
    keys[key + 4] === words[word + 4] &&
    keys[key + 5] === words[word + 5] &&
    keys[key + 6] === words[word + 6]
  ) {
    return peers[slot]!;
  }
  for (let i = 0; i < 7; i++) keys[key + i] = words[word + i]!;
  const peer = readPeer(bytes, word << 2, length);
  peers[slot] = peer;
  return peer;
}

function readPeer(bytes: Buffer, at: number, length: number): Peer {
  const address = readSockaddr(bytes, at, length) ?? { path: '' };
  if ('path' in address) return { address: address.path, port: 0, family: 'Unix' };
  return { address: address.address, port: address.port, family: address.family };
}
