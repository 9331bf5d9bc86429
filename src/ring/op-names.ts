import * as abi from './abi.js';

type Names = { [K in keyof typeof abi]: K extends `OP_${infer Name}` ? Lowercase<Name> : never };

/** The names of operations, in lower case: 'read', 'openat' … */
export type OpName = Exclude<Names[keyof Names], 'last' | 'supported'>;

const names: string[] = [];
const opcodes = new Map<string, number>();
for (const [name, value] of Object.entries(abi)) {
  if (!name.startsWith('OP_') || name === 'OP_LAST' || name === 'OP_SUPPORTED') continue;
  const short = name.slice(3).toLowerCase();
  names[value] = short;
  opcodes.set(short, value);
}

/** The name of an OP_ value, for errors. */
export function nameOf(opcode: number): string {
  return names[opcode] ?? `op ${opcode}`;
}

/** The OP_ value of a name. */
export function opcodeOf(name: OpName): number {
  return opcodes.get(name)!;
}
