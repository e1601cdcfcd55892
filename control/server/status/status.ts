// The status service of a pool machine: who it is and how its kernel fares, as JSON.
//
// - STD_INFO (1004): one line for people. STD_STATUS (1006): a JSON document. Anything
//   else: STD_COMBAD.

import { STD_COMBAD, STD_OK } from "../../../core-wasm/status.js";
import { readHeader, writeHeader } from "../../kernel/calls.js";
import type { Kernel } from "../../kernel/kernel.js";
import { type GiveReply, type Request, Service } from "../../kernel/service.js";

export const STD_INFO = 1004;
export const STD_STATUS = 1006;

export class StatusServer {
  readonly #service: Service;

  /** `describe` answers what STD_STATUS shows; `info` is the line of STD_INFO. */
  constructor(kernel: Kernel, getPort: Uint8Array, info: string, describe: () => object) {
    const serve = (request: Request, reply: GiveReply) => {
      const { command, extra } = readHeader(kernel, request.header);
      const known = command === STD_INFO || command === STD_STATUS;
      const text = command === STD_INFO ? info : JSON.stringify(describe());
      const bytes = new TextEncoder().encode(known ? text : "").subarray(0, request.capacity);
      kernel.bytes.set(bytes, request.data);
      const status = known ? STD_OK : STD_COMBAD;
      writeHeader(kernel, request.header, { status, size: bytes.length, extra });
      reply(bytes.length);
    };
    this.#service = new Service(kernel, getPort, serve, { threads: 2, requestBytesMax: 16384 });
  }

  get putPort(): Uint8Array {
    return this.#service.putPort;
  }

  close(): void {
    this.#service.close();
  }
}
