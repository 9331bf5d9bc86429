/** What settles a promise. */
export interface Deferred<T> {
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
}

// All promises share one executor: `new Promise` calls it at once, so its arguments are read right after.
let resolveCaptured: unknown;
let rejectCaptured: unknown;
const capture = (resolve: unknown, reject: unknown): void => {
  resolveCaptured = resolve;
  rejectCaptured = reject;
};

/** A new promise that `settler` settles, without a closure per promise. */
export function promiseOf<T>(settler: Deferred<T>): Promise<T> {
  const promise = new Promise<T>(capture);
  settler.resolve = resolveCaptured as Deferred<T>['resolve'];
  settler.reject = rejectCaptured as Deferred<T>['reject'];
  return promise;
}
