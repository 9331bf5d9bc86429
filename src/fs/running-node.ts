/** Where the versions of Node differ in what they take. What runs decides. */
const MAJOR = Number.parseInt(process.versions.node, 10);

/** Node 26 checks the options of `stat` and `lstat`, and takes a signal; others read the properties of anything. */
export const CHECKS_STAT_OPTIONS = MAJOR >= 26;

/** Node 26 checks the `mode` of a handle's `writeFile`, which creates nothing. */
export const CHECKS_HANDLE_MODE = MAJOR >= 26;

/** Node 26 forbids a handle's `sync` and `datasync` under its permission model, unless all may be written. */
export const FORBIDS_SYNC = MAJOR >= 26;

/** Node 26 lists a tree in one piece on a thread of its pool. */
export const READS_TREES_AT_ONCE = MAJOR >= 26;

/**
 * Node 26 copies a tree to where nothing is in one piece on a thread of its pool, by rules of its own. Where something
 * is, or with a filter, it goes on as before, and gives directories their times as well.
 */
export const COPIES_NEW_TREES_AT_ONCE = MAJOR >= 26;

/** Node 26 opens and reads a file in one piece: what fails to be read then names its path. */
export const NAMES_WHAT_IS_READ = MAJOR >= 26;
