// `proteus version`: what this program is, for people and for those who compare machines: its
// own version, the kernel's bytes, and the versions of what it writes on wires and disks.

import { createHash } from "node:crypto";
import type { Command } from "@commander-js/extra-typings";
import * as limits from "../../core-wasm/limits.js";
import { FLIP_VERSION } from "../../core-wasm/wire/formats.js";
import { format as folderFormat } from "../node/store/embedded/records.js";
import { format as blockFormat } from "../store/disk/frames.js";
import { emit } from "./output.js";
import { kernelBytes, packageVersion } from "./package-files.js";

const helpText = `
Machines whose wire versions agree can talk; extensions are negotiated one by one, and an
original Amoeba machine has none. A store of another disk format is refused, never changed.

Example:
  proteus version --json`;

/** The names of the extensions that this kernel offers, from core-wasm/limits.ts. */
function extensions(): string[] {
  return Object.entries(limits)
    .filter(([name]) => name.startsWith("EXTENSION_"))
    .map(([name]) => name.slice("EXTENSION_".length).toLowerCase().replaceAll("_", "-"));
}

/** The formats of stores: in a folder of a machine, and on a block device. */
const disk = { "store-folder": folderFormat, "store-device": blockFormat };

/** What `version --json` shows. */
export function versionDocument() {
  return {
    version: packageVersion(),
    kernel: createHash("sha256").update(kernelBytes()).digest("hex"),
    node: process.versions.node,
    wire: { flip: FLIP_VERSION, extensions: extensions() },
    disk,
  };
}

/** Adds `version` to the program. */
export function registerVersion(program: Command): void {
  program
    .command("version")
    .description("show the versions of this program, its kernel, and its formats")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", helpText)
    .action(({ json }) => {
      const document = versionDocument();
      emit("version", json, document, () =>
        [
          `proteus     ${document.version}`,
          `kernel      ${document.kernel.slice(0, 16)}`,
          `node        ${document.node}`,
          `wire        FLIP ${document.wire.flip}, with ${document.wire.extensions.join(", ")}`,
          `disk        ${Object.entries(disk)
            .map(([name, format]) => `${name} ${format}`)
            .join(", ")}`,
        ].join("\n"),
      );
    });
}
