/** Typed arrays as kinds of messages: a message carries the bytes, and the kind names the type. */
import { isUint8Array } from 'node:util/types';

/** Node 24 */
declare const Float16Array: typeof Float32Array | undefined;

const ARRAYS = [
  Uint8Array,
  Uint8ClampedArray,
  Int8Array,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array,
  BigUint64Array,
  BigInt64Array,
  ...(typeof Float16Array === 'undefined' ? [] : [Float16Array]),
] as const;

/** Kinds from 1 on. */
const KINDS = new Map<string, number>(ARRAYS.map((array, i) => [array.name, i + 1]));
const UINT8 = 1;

/** The kind of a view; undefined for a DataView, or a type that is newer than this list. */
export function kindOf(view: ArrayBufferView): number | undefined {
  if (isUint8Array(view)) return UINT8;
  return KINDS.get((view as InstanceType<(typeof ARRAYS)[number]>)[Symbol.toStringTag]);
}

/** Rebuilds the array from `bytes`, which have a buffer of their own. */
export function arrayOf(kind: number, bytes: Uint8Array): ArrayBufferView {
  return kind === UINT8 ? bytes : new ARRAYS[kind - 1]!(bytes.buffer as ArrayBuffer);
}
