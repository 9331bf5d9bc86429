import { systemError } from '../errors/errors.js';
import type { Place } from '../libc/interface.js';
import { libc } from '../libc/libc.js';
import { givePlace, takePlace } from '../libc/thread-records.js';

/**
 * Memory outside the JavaScript heap. The kernel may write to it regardless of the garbage collector and of when a
 * worker ends. Only `unmap()` frees it.
 */
export class Mapping {
  /** The start. User addresses are below 2^47 unless a higher one is requested, so a double holds them. */
  readonly address: number;
  /** In bytes. */
  readonly length: number;
  /** The same memory, for typed arrays. */
  readonly buffer: ArrayBuffer;
  readonly #place: Place;
  #mapped = true;

  private constructor(address: number, length: number, place: Place) {
    this.address = address;
    this.length = length;
    this.#place = place;
    this.buffer = libc().view(address, length);
  }

  /** Zeroed private memory, mmap(2). It takes no physical page until it is touched. */
  static anonymous(length: number): Mapping {
    const place = takePlace();
    return Mapping.#made(libc().mmapAnonymous(length, place), length, place);
  }

  /** Part of a ring, io_uring_setup(2): `offset` is one of the IORING_OFF values. */
  static ofRing(fd: number, length: number, offset: number): Mapping {
    const place = takePlace();
    return Mapping.#made(libc().mmapRing(fd, length, offset, place), length, place);
  }

  static #made(address: number, length: number, place: Place): Mapping {
    if (address < 0) {
      givePlace(place);
      throw systemError(address, 'mmap');
    }
    return new Mapping(address, length, place);
  }

  /** Frees the pages but not the addresses: the memory reads as zeros, and views of it stay valid. */
  discard(): void {
    libc().madviseDontneed(this.address, this.length);
  }

  /**
   * Frees the memory. The caller ensures that the kernel is done with it and that no view of `buffer` is used again:
   * touching one would fault.
   */
  unmap(): void {
    if (!this.#mapped) return;
    this.#mapped = false;
    libc().munmap(this.address, this.length, this.#place);
    givePlace(this.#place);
  }
}
