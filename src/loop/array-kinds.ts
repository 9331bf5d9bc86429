/** Typed arrays as kinds of messages: their bytes travel, and the kind says what they were. */
import { isUint8Array } from 'node:util/types';

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
] as const;

/** Kinds from 1 on. */
const KINDS = new Map<string, number>(ARRAYS.map((array, i) => [array.name, i + 1]));
const UINT8 = 1;

/** The kind of a view; undefined if it is a DataView, or an array that is newer than this list. */
export function kindOf(view: ArrayBufferView): number | undefined {
  if (isUint8Array(view)) return UINT8;
  return KINDS.get((view as InstanceType<(typeof ARRAYS)[number]>)[Symbol.toStringTag]);
}

/** The array that `bytes`, which have a buffer of their own, were. */
export function arrayOf(kind: number, bytes: Uint8Array): ArrayBufferView {
  return kind === UINT8 ? bytes : new ARRAYS[kind - 1]!(bytes.buffer as ArrayBuffer);
}
