// as-pect: the kernel's own tests, compiled together with the modules they test.
//
// - Specs are test/kernel/**/*.spec.ts; they import from ../../core-wasm.
// - The kernel's four imports are here: transmit takes every frame, random gives
//   the same bytes in every run, log and trap fail the test that reached them.

function kernelImports(memoryOf) {
  let state = 0x2545f491;
  const text = (pointer, length) => Buffer.from(memoryOf().buffer, pointer, length).toString("latin1");
  return {
    transmit: () => 0,
    random(pointer, length) {
      const bytes = new Uint8Array(memoryOf().buffer, pointer, length);
      for (let i = 0; i < length; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        bytes[i] = state >>> 24;
      }
    },
    log(pointer, length) {
      throw new Error(`the kernel logged: ${text(pointer, length)}`);
    },
    trap(code) {
      throw new Error(`the kernel trapped with code ${code}`);
    },
  };
}

export default {
  entries: ["test/kernel/**/*.spec.ts"],
  include: ["node_modules/@as-pect/assembly/assembly/index.ts"],
  disclude: [/node_modules/],
  outputBinary: false,
  async instantiate(memory, createImports, instantiate, binary) {
    let instance;
    const kernel = kernelImports(() => instance.exports.memory);
    instance = await instantiate(binary, createImports({ env: { memory, ...kernel } }));
    return instance;
  },
};
