/** Loaded before a profiled program: SIGUSR2 starts V8's profiler, a second one writes the profile. */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';

const session = new Session();
let running = false;

process.on('SIGUSR2', () => {
  if (!running) {
    session.connect();
    session.post('Profiler.enable');
    session.post('Profiler.start');
    running = true;
    return;
  }
  session.post('Profiler.stop', (error, result) => {
    if (error === null) writeFileSync(process.env.UASYNC_BENCH_PROFILE!, JSON.stringify(result.profile));
  });
});
