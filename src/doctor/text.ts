/** The text report of `uasync doctor`. */

import type { Limit } from '../sys/proc.js';
import type { Facts } from './examine.js';
import type { Finding } from './findings.js';

/** Styles text for a terminal, or returns it unchanged. */
type Paint = (style: 'green' | 'yellow' | 'red' | 'bold' | 'dim', text: string) => string;

const SIGNS = {
  ok: ['green', '✓'],
  slower: ['yellow', '!'],
  missing: ['red', '✗'],
} as const;

/** Formats the report as lines of text. */
export function toText(facts: Facts, findings: readonly Finding[], paint: Paint): string {
  const lines = [
    `${paint('bold', `uasync ${facts.uasync}`)} on ${facts.platform} ${facts.kernel.release}, Node ${facts.node}`,
    '',
  ];
  for (const { state, what, why, fix } of findings) {
    const [style, sign] = SIGNS[state];
    lines.push(`${paint(style, sign)} ${what}${why === undefined ? '' : `: ${why}`}`);
    if (fix !== undefined) lines.push(`  ${paint('bold', 'fix:')} ${fix}`);
  }
  lines.push('');
  const { backend, asked } = facts;
  lines.push(
    `${paint('dim', 'backend')}         ${backend ?? 'none'}${asked === 'auto' ? '' : ' (UASYNC_BACKEND)'}`,
  );
  if (facts.loop !== null && backend !== 'epoll') {
    const { entries, cqEntries } = facts.loop;
    lines.push(`${paint('dim', 'a loop')}          queues of ${entries} and ${cqEntries} entries`);
  }
  if (facts.available) {
    lines.push(
      count('operations', facts.opcodes, paint),
      count('features', facts.features, paint),
      count('setup flags', facts.setupFlags, paint),
    );
  }
  if (!facts.platform.startsWith('linux')) return `${lines.join('\n')}\n`;
  const { memlock, memlockCounts, nofile, ioUringDisabled, ioUringGroup, seccomp } = facts.limits;
  const held = memlockCounts ? ', which includes rings' : ', which does not limit rings here';
  const group = ioUringGroup === null || ioUringGroup < 0 ? '' : ` (group ${ioUringGroup})`;
  lines.push(
    `${paint('dim', 'open files')}      ${limit(nofile)}`,
    `${paint('dim', 'locked memory')}   ${limit(memlock)} bytes${memlock?.soft === null ? '' : held}`,
    `${paint('dim', 'io_uring sysctl')} ${ioUringDisabled ?? 'not on this kernel'}${group}`,
    `${paint('dim', 'seccomp filter')}  ${seccomp ? 'yes' : 'no'}`,
  );
  return `${lines.join('\n')}\n`;
}

function limit(limit: Limit | null): string {
  return limit === null ? 'unknown' : `${shown(limit.soft)} of ${shown(limit.hard)}`;
}

function shown(limit: number | null): string {
  return limit === null ? 'unlimited' : String(limit);
}

function count(what: string, names: Record<string, boolean>, paint: Paint): string {
  const missing = Object.keys(names).filter(name => !names[name]);
  const all = Object.keys(names).length;
  const without = missing.length === 0 ? '' : `; missing: ${missing.join(' ')}`;
  return `${paint('dim', what)} ${' '.repeat(15 - what.length)}${all - missing.length} of ${all}${without}`;
}
