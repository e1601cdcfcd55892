// The C library of this machine, through koffi: for system calls that Node.js has no other way to.
//
// - koffi is loaded when the first of them is asked for.
// - Throws what koffi throws where it has nothing for this machine.

import { createRequire } from "node:module";

type Koffi = typeof import("koffi");

export interface CLibrary {
  readonly koffi: Koffi;
  readonly library: ReturnType<Koffi["load"]>;
}

let loaded: CLibrary | undefined;

export function cLibrary(): CLibrary {
  if (loaded !== undefined) return loaded;
  const koffi = createRequire(import.meta.url)("koffi") as Koffi;
  loaded = { koffi, library: koffi.load(null) };
  return loaded;
}
