/**
 * The seccomp profiles of docs/: seccomp.json in Docker's format, and seccomp-oci.json, which is made from it. `npm run
 * seccomp` writes the latter.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { ROOT } from './programs.js';

/** One rule of a profile in Docker's format. */
export interface Rule {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: object[];
  comment?: string;
  includes?: { caps?: string[]; arches?: string[]; minKernel?: string };
  excludes?: { caps?: string[]; arches?: string[] };
}

export interface Profile {
  defaultAction: string;
  defaultErrnoRet: number;
  archMap?: { architecture: string; subArchitectures: string[] | null }[];
  architectures?: string[];
  syscalls: Rule[];
}

/** The architectures that uasync runs on, and the capability for a system call that containers have by default. */
const ARCHES = ['amd64', 'arm64'];
const ARCHITECTURES = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'];
const CAPABILITY = 'CAP_SYS_CHROOT';

export function profilePath(name: 'seccomp.json' | 'seccomp-oci.json'): string {
  return `${ROOT}docs/${name}`;
}

export function readProfile(name: 'seccomp.json' | 'seccomp-oci.json'): Profile {
  return JSON.parse(readFileSync(profilePath(name), 'utf8')) as Profile;
}

/** Whether a container with the default capabilities has this rule. */
function applies({ includes = {} }: Rule): boolean {
  const { caps, arches } = includes;
  if (caps?.some(cap => cap !== CAPABILITY)) return false;
  return arches === undefined || arches.some(arch => ARCHES.includes(arch));
}

/** The profile without conditions, which the OCI runtime specification does not have. */
export function withoutConditions({ archMap, ...profile }: Profile): Profile {
  const maps = archMap!.filter(({ architecture }) => ARCHITECTURES.includes(architecture));
  return {
    defaultAction: profile.defaultAction,
    defaultErrnoRet: profile.defaultErrnoRet,
    architectures: maps.flatMap(({ architecture, subArchitectures }) => [
      architecture,
      ...(subArchitectures ?? []),
    ]),
    syscalls: profile.syscalls.filter(applies).map(({ includes, excludes, comment, ...rule }) => rule),
  };
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(
    profilePath('seccomp-oci.json'),
    JSON.stringify(withoutConditions(readProfile('seccomp.json'))),
  );
}
