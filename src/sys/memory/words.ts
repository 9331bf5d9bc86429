/** The size of a word's range: a 64-bit field is two words, the low one first. */
const TWO_32 = 2 ** 32;

/** Writes a 64-bit field of a structure for the kernel: an address, a size or an offset, from 0 to 2^53 - 1. */
export function putU64(words: Uint32Array, index: number, value: number): void {
  words[index] = value;
  words[index + 1] = value / TWO_32;
}
