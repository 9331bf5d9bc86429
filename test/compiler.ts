/** Whether there is a C compiler. */
import { spawnSync } from 'node:child_process';

export const hasCompiler = spawnSync('cc', ['--version'], { stdio: 'ignore' }).status === 0;
