/** Every scenario, in the order of the tables. */
import type { Scenario } from '../scenario.js';
import { apps } from './apps.js';
import { curves } from './curves.js';
import { device } from './device.js';
import { fs } from './fs.js';
import { http } from './http.js';
import { loop } from './loop.js';
import { ring } from './ring.js';
import { seeds } from './seeds.js';
import { start } from './start.js';
import { tcp } from './tcp.js';
import { threads } from './threads.js';
import { udp } from './udp.js';
import { versions } from './versions.js';

export const SCENARIOS: Scenario[] = [
  ...tcp,
  ...curves,
  ...http,
  ...apps,
  ...udp,
  ...fs,
  ...device,
  ...ring,
  ...loop,
  ...threads,
  ...seeds,
  ...start,
  ...versions,
];
