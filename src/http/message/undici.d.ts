/** The parser's WebAssembly, as undici ships it: the bytes of a module. */
declare module 'undici/lib/llhttp/llhttp-wasm.js' {
  const code: Uint8Array;
  export default code;
}
declare module 'undici/lib/llhttp/llhttp_simd-wasm.js' {
  const code: Uint8Array;
  export default code;
}
