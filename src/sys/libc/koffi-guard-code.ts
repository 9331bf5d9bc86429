/**
 * The machine code of koffi-guard.ts. Each line has an instruction's bytes, as in memory, and its assembly text. Names
 * stand for offsets in the page that holds the code: `WORDS` and `STRINGS`.
 */

/** 64-bit words at the beginning of the page, in this order. */
export const WORDS = [
  /** napi_create_function, napi_run_script: the functions that koffi would call. */
  'createFunction',
  'runScript',
  /** The virtual function table of every napi_env, and the replacement for koffi's. */
  'oldVtable',
  'newVtable',
  /** napi_get_value_string_utf8, napi_get_global, napi_get_named_property. */
  'getString',
  'getGlobal',
  'getNamed',
  /** Memory that all threads share. */
  'shared',
] as const;

/** Strings after the words, with their offsets. */
export const STRINGS: readonly [at: number, text: string][] = [
  [64, 'Object\0'],
  [72, 'prototype\0'],
  [88, 'Symbol\0'],
  [96, 'dispose\0'],
];

/** The offsets of the functions, and of the new table. */
export const CODE_AT = { createFunction: 128, alwaysTrue: 192, runScript: 208 } as const;
export const VTABLE_AT = 2048;

type Code = Record<keyof typeof CODE_AT, string>;

/*
 * createFunction(env, …): if (env->vtable == oldVtable) env->vtable = newVtable; goto napi_create_function.
 *
 * alwaysTrue(): in the new table it is `can_call_into_js`.
 *
 * runScript(env, script, result): the two property chains that koffi evaluates as scripts while it is loaded,
 * "Object.prototype" (16 characters) and "Symbol.dispose" (14), are looked up: a script would run into the
 * worker's termination. All others go to napi_run_script.
 */
const X64: Code = {
  createFunction: `
  f30f1efa         endbr64
  488b0585ffffff   mov rax, [oldVtable]
  483907           cmp [rdi], rax
  750a             jne +12
  488b0581ffffff   mov rax, [newVtable]
  488907           mov [rdi], rax
  ff2560ffffff     jmp [createFunction]`,
  alwaysTrue: `
  f30f1efa         endbr64
  b801000000       mov eax, 0x1
  c3               ret`,
  runScript: `
  f30f1efa         endbr64
  53               push rbx
  4154             push r12
  4155             push r13
  4883ec10         sub rsp, 0x10
  4889fb           mov rbx, rdi
  4989f4           mov r12, rsi
  4989d5           mov r13, rdx
  31d2             xor edx, edx
  31c9             xor ecx, ecx
  4989e0           mov r8, rsp
  48891424         mov [rsp], rdx
  ff1529ffffff     call [getString]
  488b0424         mov rax, [rsp]
  488d0d3effffff   lea rcx, [object]
  4883f810         cmp rax, 0x10
  7425             je +39
  488d0d49ffffff   lea rcx, [symbol]
  4883f80e         cmp rax, 0xe
  7418             je +26
  4889df           mov rdi, rbx
  4c89e6           mov rsi, r12
  4c89ea           mov rdx, r13
  4883c410         add rsp, 0x10
  415d             pop r13
  415c             pop r12
  5b               pop rbx
  ff25dbfeffff     jmp [runScript]
  4989cc           mov r12, rcx
  4889df           mov rdi, rbx
  4c89ee           mov rsi, r13
  ff15ecfeffff     call [getGlobal]
  4889df           mov rdi, rbx
  498b7500         mov rsi, [r13]
  4c89e2           mov rdx, r12
  4c89e9           mov rcx, r13
  ff15e1feffff     call [getNamed]
  4889df           mov rdi, rbx
  498b7500         mov rsi, [r13]
  498d542408       lea rdx, [r12+0x8]
  4c89e9           mov rcx, r13
  ff15ccfeffff     call [getNamed]
  4883c410         add rsp, 0x10
  415d             pop r13
  415c             pop r12
  5b               pop rbx
  c3               ret`,
};

const ARM64: Code = {
  createFunction: `
  90fcff58         ldr x16, oldVtable
  110040f9         ldr x17, [x0]
  1f0211eb         cmp x16, x17
  61000054         b.ne +12
  50fcff58         ldr x16, newVtable
  100000f9         str x16, [x0]
  50fbff58         ldr x16, createFunction
  00021fd6         br x16`,
  alwaysTrue: `
  20008052         mov w0, #0x1
  c0035fd6         ret`,
  runScript: `
  fd7bbda9         stp x29, x30, [sp, #-48]!
  fd030091         mov x29, sp
  f35301a9         stp x19, x20, [sp, #16]
  f51300f9         str x21, [sp, #32]
  f30300aa         mov x19, x0
  f40301aa         mov x20, x1
  f50302aa         mov x21, x2
  ff1700f9         str xzr, [sp, #40]
  e2031faa         mov x2, xzr
  e3031faa         mov x3, xzr
  e4a30091         add x4, sp, #0x28
  30f9ff58         ldr x16, getString
  00023fd6         blr x16
  e11740f9         ldr x1, [sp, #40]
  c2f9ff10         adr x2, object
  3f4000f1         cmp x1, #0x10
  80010054         b.eq +48
  22faff10         adr x2, symbol
  3f3800f1         cmp x1, #0xe
  20010054         b.eq +36
  e00313aa         mov x0, x19
  e10314aa         mov x1, x20
  e20315aa         mov x2, x21
  f35341a9         ldp x19, x20, [sp, #16]
  f51340f9         ldr x21, [sp, #32]
  fd7bc3a8         ldp x29, x30, [sp], #48
  90f6ff58         ldr x16, runScript
  00021fd6         br x16
  f40302aa         mov x20, x2
  e00313aa         mov x0, x19
  e10315aa         mov x1, x21
  f0f6ff58         ldr x16, getGlobal
  00023fd6         blr x16
  e00313aa         mov x0, x19
  a10240f9         ldr x1, [x21]
  e20314aa         mov x2, x20
  e30315aa         mov x3, x21
  70f6ff58         ldr x16, getNamed
  00023fd6         blr x16
  e00313aa         mov x0, x19
  a10240f9         ldr x1, [x21]
  82220091         add x2, x20, #0x8
  e30315aa         mov x3, x21
  b0f5ff58         ldr x16, getNamed
  00023fd6         blr x16
  f35341a9         ldp x19, x20, [sp, #16]
  f51340f9         ldr x21, [sp, #32]
  fd7bc3a8         ldp x29, x30, [sp], #48
  c0035fd6         ret`,
};

/** The functions by `process.arch`, as bytes. */
export function codeFor(arch: string): Record<keyof Code, Uint8Array> | null {
  const code = arch === 'x64' ? X64 : arch === 'arm64' ? ARM64 : null;
  if (code === null) return null;
  const bytes = (listing: string): Uint8Array =>
    Buffer.from(listing.replace(/ {2}(\w+) .*\n?/g, '$1').trim(), 'hex');
  return {
    createFunction: bytes(code.createFunction),
    alwaysTrue: bytes(code.alwaysTrue),
    runScript: bytes(code.runScript),
  };
}
