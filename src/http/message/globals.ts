/** Replaces the platform's Response by this package's, for code that calls `new Response` itself. */
import { platform } from './platform.js';
import { isOwnRequest } from './request.js';
import { HttpResponse } from './response.js';

type Input = Parameters<typeof fetch>[0];

interface Globals {
  readonly Request: typeof Request;
  readonly Response: typeof HttpResponse;
  readonly fetch: typeof fetch;
}

let globals: Globals | null = null;

function create(): Globals {
  const { Request, fetch } = platform();

  /** The platform's Request, which also accepts our requests as the first argument. */
  class GlobalRequest extends Request {
    constructor(input: Input, init?: RequestInit) {
      if (isOwnRequest(input)) {
        const { method, headers, body, signal } = input;
        super(input.url, { method, headers, body, signal, duplex: 'half', ...init } as RequestInit);
      } else super(input, init);
    }

    static override [Symbol.hasInstance](value: unknown): boolean {
      // biome-ignore lint/complexity/noThisInStatic: a class that extends this one inherits it
      const { prototype } = this === GlobalRequest ? Request : this;
      return Object.prototype.isPrototypeOf.call(prototype, value as object);
    }
  }
  Object.defineProperty(GlobalRequest, 'name', { value: 'Request' });

  /** The platform's fetch, likewise. */
  function globalFetch(input: Input, init?: RequestInit): Promise<Response> {
    return isOwnRequest(input) ? fetch(new GlobalRequest(input, init)) : fetch(input, init);
  }
  Object.defineProperty(globalFetch, 'name', { value: 'fetch' });

  return { Request: GlobalRequest, Response: HttpResponse, fetch: globalFetch };
}

/**
 * Replaces the global Response of this thread by the one of this package, which is faster for frameworks that call `new
 * Response` themselves. The global `Request` and `fetch` then accept the requests that handlers get. `fetch` still
 * returns the platform's, and `instanceof Response` is true for both. Returns a function that undoes it.
 */
export function replaceGlobals(): () => void {
  globals ??= create();
  const before = new Map<string, PropertyDescriptor | undefined>();
  for (const [name, value] of Object.entries(globals)) {
    before.set(name, Object.getOwnPropertyDescriptor(global, name));
    Object.defineProperty(global, name, { value, writable: true, enumerable: false, configurable: true });
  }
  return () => {
    for (const [name, descriptor] of before) Object.defineProperty(global, name, descriptor!);
  };
}
