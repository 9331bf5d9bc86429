/** A system that has no memory left. */
import koffi from 'koffi';

const RLIMIT_AS = 9;
const kernel = koffi.load(null);
const getLimit = kernel.func('getrlimit', 'int', ['int', 'void *']);
const setLimit = kernel.func('setrlimit', 'int', ['int', 'void *']);

/** Calls while this process can map no more memory. */
export function withoutMemory<T>(call: () => T): T {
  const limit = new BigUint64Array(2);
  getLimit(RLIMIT_AS, limit);
  setLimit(RLIMIT_AS, new BigUint64Array([1n, limit[1]!]));
  try {
    return call();
  } finally {
    setLimit(RLIMIT_AS, limit);
  }
}
