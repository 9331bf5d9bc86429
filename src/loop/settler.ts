/** Who settles a promise. */
export interface Settler<T> {
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
}

// One executor for all promises: `new Promise` calls it at once, so the pair is taken right after.
let resolveCaptured: unknown;
let rejectCaptured: unknown;
const capture = (resolve: unknown, reject: unknown): void => {
  resolveCaptured = resolve;
  rejectCaptured = reject;
};

/** A new promise that `settler` settles, without a closure of our own. */
export function promiseOf<T>(settler: Settler<T>): Promise<T> {
  const promise = new Promise<T>(capture);
  settler.resolve = resolveCaptured as Settler<T>['resolve'];
  settler.reject = rejectCaptured as Settler<T>['reject'];
  return promise;
}
