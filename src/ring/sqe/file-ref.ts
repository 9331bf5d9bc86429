/**
 * A descriptor, or a registered file: the target of an operation. It is one number, so that hot paths carry no object.
 * A registered file is the complement of its index.
 */
export type FileRef = number;

/** The registered file at `index`. */
export function registeredFile(index: number): FileRef {
  return ~index;
}
