/** Rings that are made right after their thread's last one was closed, whose workers the kernel ends. */
import t from 'tap';
import { built, output } from '../programs.js';

t.test('their operations complete, and they meet no worker that is about to end', async t => {
  const printed = await output(process.execPath, [built('test/fixtures/last-ring.js')]);
  const { lost, met, end } = JSON.parse(printed) as { lost: number; met: number; end: boolean };
  t.equal(lost, 0);
  // Workers outlive their rings on older kernels, and where Node has a ring of its own.
  t.equal(met === 0, end);
});
