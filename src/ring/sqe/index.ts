import { SqeTrusted } from './trusted.js';

/**
 * One submission queue entry, as a builder with a method for each operation.
 * `ring.getSqe()?.recv(fd, buffer).userData(41).link()`
 */
export class Sqe extends SqeTrusted {}
