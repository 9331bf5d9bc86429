/** An echo server of uasync on UASYNC_BENCH_THREADS threads: the example, with the number from the environment. */
const [port = '0'] = process.argv.slice(2);
process.argv.splice(2, Number.POSITIVE_INFINITY, port, process.env.UASYNC_BENCH_THREADS ?? '1');
await import('../../../examples/threads-echo.js');
