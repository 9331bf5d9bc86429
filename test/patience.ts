/**
 * A test file that is run by itself has as long as one that the runner runs: tap gives it half a minute, which
 * a loaded machine may need.
 */
import t from 'tap';

if (process.env.TAP_TIMEOUT === undefined) t.setTimeout(300_000);
