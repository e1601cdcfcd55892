// The echo server of the performance test; control/interface/echo.ts says what it answers.
//
// - Executions are counted where they happen: once for every request that this server is
//   handed, the count itself excepted.
// - An echo is the request's own buffer sent back: nothing is copied.

import { STD_ARGBAD, STD_OK } from "../../../core-wasm/status.js";
import * as format from "../../../core-wasm/wire/formats.js";
import { ECHO_BYTES_MAX, ECHO_EXECUTIONS, ECHO_SINK, ECHO_SOURCE } from "../../interface/echo.js";
import type { Kernel } from "../../kernel/kernel.js";
import { type GiveReply, type Request, Service, type ServiceOptions } from "../../kernel/service.js";

export class EchoServer {
  /** Commands executed since the start, ECHO_EXECUTIONS excepted. */
  executions = 0;
  readonly #service: Service;
  readonly #kernel: Kernel;
  #source = 0; // address of a buffer for ECHO_SOURCE, made when first asked for

  /** Begins to listen to a get-port. Throws ProteusError when a table is full. */
  constructor(kernel: Kernel, getPort: Uint8Array, options: ServiceOptions = {}) {
    this.#kernel = kernel;
    this.#service = new Service(kernel, getPort, (request, reply) => this.#serve(request, reply), {
      requestBytesMax: ECHO_BYTES_MAX,
      ...options,
    });
  }

  get putPort(): Uint8Array {
    return this.#service.putPort;
  }

  #serve(request: Request, reply: GiveReply): void {
    const { header, length, kernel } = request;
    const command = kernel.view.getUint16(header + format.HEADER_COMMAND_AT, true);
    switch (command) {
      case ECHO_EXECUTIONS:
        this.#answer(request, STD_OK, this.executions, 0);
        reply(0);
        return;
      case ECHO_SINK:
        this.executions++;
        this.#answer(request, STD_OK, this.#offset(request), length);
        reply(0);
        return;
      case ECHO_SOURCE: {
        this.executions++;
        const wanted = this.#offset(request);
        const good = wanted >= 0 && wanted <= ECHO_BYTES_MAX;
        this.#answer(request, good ? STD_OK : STD_ARGBAD, wanted, good ? wanted : 0);
        if (good) reply(wanted, this.#sourceBuffer());
        else reply(0);
        return;
      }
      default:
        this.executions++;
        this.#answer(request, STD_OK, this.#offset(request), length);
        reply(length);
    }
  }

  #offset({ kernel, header }: Request): number {
    return kernel.view.getInt32(header + format.HEADER_OFFSET_AT, true);
  }

  #answer({ kernel, header }: Request, status: number, offset: number, size: number): void {
    const { view } = kernel;
    view.setInt16(header + format.HEADER_COMMAND_AT, status, true);
    view.setInt32(header + format.HEADER_OFFSET_AT, offset, true);
    view.setUint16(header + format.HEADER_SIZE_AT, size & 0xffff, true);
    const extra = view.getUint16(header + format.HEADER_EXTRA_AT, true);
    view.setUint16(header + format.HEADER_EXTRA_AT, (extra + 1) & 0xffff, true);
  }

  #sourceBuffer(): number {
    if (this.#source === 0) this.#source = this.#kernel.buffers.take(ECHO_BYTES_MAX);
    return this.#source;
  }

  close(): void {
    this.#service.close();
  }
}
