/**
 * Prints files, like cat(1): `node dist/examples/cat.js FILE…`.
 * Reads each file in chunks into one buffer, so a large file needs no more memory than a small one.
 */
import { once } from 'node:events';
import { open } from 'uasync/fs';

const buffer = Buffer.allocUnsafe(256 * 1024);

async function cat(path: string): Promise<void> {
  await using file = await open(path);
  for (;;) {
    const { bytesRead } = await file.read(buffer);
    if (bytesRead === 0) return;
    if (!process.stdout.write(Buffer.from(buffer.subarray(0, bytesRead))))
      await once(process.stdout, 'drain');
  }
}

for (const path of process.argv.slice(2)) {
  try {
    await cat(path);
  } catch (error) {
    console.error(`cat: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
