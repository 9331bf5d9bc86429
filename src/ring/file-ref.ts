/**
 * A descriptor, or a registered file: what an operation works on. It is one number, so that hot paths carry no
 * object: a registered file is the complement of its index.
 */
export type FileRef = number;

/** The registered file at `index`. */
export function registeredFile(index: number): FileRef {
  return ~index;
}

export function isRegistered(file: FileRef): boolean {
  return file < 0;
}
