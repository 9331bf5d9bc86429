/**
 * The platform's classes. They are loaded when something needs them: Node loads all of its `fetch` for them, which takes
 * more memory and time than the rest of a small server.
 */
import { stateError } from '../../sys/errors/errors.js';

interface Platform {
  readonly Request: typeof Request;
  readonly Response: typeof Response;
  readonly Headers: typeof Headers;
  readonly fetch: typeof fetch;
}

interface Class {
  readonly prototype: object;
}

let loaded: Platform | null = null;
/** Ours, each of which a program may have made global by itself. */
const ours = new Set<unknown>();

function isReplaced(): boolean {
  return loaded === null && [Request, Response, Headers].some(global => ours.has(global));
}

/**
 * The platform's classes, from before `replaceGlobals`.
 * @throws UasyncError ERR_INVALID_STATE if the program has replaced one by ours in another way.
 */
export function platform(): Platform {
  if (isReplaced())
    throw stateError('A global class was replaced by that of uasync/http: use replaceGlobals()');
  loaded ??= { Request, Response, Headers, fetch };
  return loaded;
}

/**
 * Makes the objects of `own` instances of the platform's class, too, once anything follows their prototypes, as
 * `instanceof` does: until then they end in a proxy.
 */
export function extendLater(own: Class, name: 'Request' | 'Response' | 'Headers'): void {
  ours.add(own);
  const end = new Proxy(
    {},
    {
      getPrototypeOf() {
        if (isReplaced()) return Object.prototype;
        const { prototype } = platform()[name];
        Object.setPrototypeOf(own.prototype, prototype);
        return prototype;
      },
    },
  );
  Object.setPrototypeOf(own.prototype, end);
}
