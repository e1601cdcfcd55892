// A server of one's own: a guest book. Start it on one machine: node guest-book.mjs
// It prints a capability; sign on another: node guest-book.mjs CAPABILITY NAME
import * as proteus from "amoeba-proteus";

const { inBuffer, inExtra, operation, wire } = proteus;
const table = proteus.defineServer({
  ...{ name: "guests", summary: "a guest book", object: "the book", rights: { read: 1, write: 2 } },
  operations: {
    sign: operation({
      ...{ number: 15100, summary: "write a name down", subject: "server", rights: ["write"] },
      arguments: { name: inBuffer(wire.string(), "who was here") },
      reply: { guests: inExtra("how many have been here"), names: inBuffer(wire.list(wire.string()), "who") },
    }),
  },
});
const [capability, name = "somebody"] = process.argv.slice(2);
const { kernel, finish } = await proteus.openKernel();
if (capability === undefined) {
  const names = [];
  const sign = (_asked, given) => ({ guests: names.push(given.name), names });
  console.log(proteus.capabilityHex(proteus.serve(kernel, table, { sign }).capability()));
} else {
  const book = proteus.parseCapability(proteus.offlineKernel(), capability);
  const { guests, names } = await proteus.stub(kernel, table, book).sign({ name });
  console.log(`guest ${guests}: ${names.join(", ")}`);
  await finish();
}
