/** Differences between Node versions in the arguments they accept. The running version decides. */
const MAJOR = Number.parseInt(process.versions.node, 10);

/**
 * Node 26 checks the options of `stat` and `lstat`, and accepts a signal; other versions read the properties of
 * anything.
 */
export const CHECKS_STAT_OPTIONS = MAJOR >= 26;

/** Node 26 checks the `mode` of a handle's `writeFile`, which creates nothing. */
export const CHECKS_HANDLE_MODE = MAJOR >= 26;

/** Node 26 denies a handle's `sync` and `datasync` under its permission model, unless everything may be written. */
export const FORBIDS_SYNC = MAJOR >= 26;

/** Node 26 lists a tree in one call on a thread of its pool. */
export const READS_TREES_AT_ONCE = MAJOR >= 26;

/**
 * Node 26 copies a tree to a new path in one call on a thread of its pool, by its own rules. If the target exists, or
 * with a filter, it works as before, and also sets the times of directories.
 */
export const COPIES_NEW_TREES_AT_ONCE = MAJOR >= 26;

/** Node 26 opens and reads a file in one piece: what fails to be read then names its path. */
export const NAMES_WHAT_IS_READ = MAJOR >= 26;
