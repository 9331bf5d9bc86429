/** Workers that are terminated at any moment: the process must survive. The long form is `npm run soak:terminate`. */
import t from 'tap';
import { terminate } from '../terminate.js';
import '../patience.js';

t.test('while koffi is loaded and bound', async t => {
  t.match(await terminate(12, 'load,bind', 0), '12 terminated');
});

t.test('while memory is mapped, and while loops are made', async t => {
  t.match(await terminate(4, 'pinned,loops', 60), '4 terminated');
});

t.test('under load', async t => {
  t.match(await terminate(6, 'echo,files,channels,exit,throw,threads', 60), '6 terminated');
});
