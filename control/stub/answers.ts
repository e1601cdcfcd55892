// The generic server loop: a function from a request to an answer, as the handler of a service.
//
// - For servers whose calls are rare: data is copied in and out. An answer may come later.
// - What the function throws is a bug of the server: the client gets STD_SYSERR.

import { STD_OVERFLOW, STD_SYSERR } from "../../core-wasm/status.js";
import { readHeader, writeHeader } from "../kernel/calls.js";
import type { Handler } from "../kernel/service.js";

export interface Asked {
  readonly command: number;
  readonly offset: number;
  readonly data: Uint8Array;
}

export interface Answer {
  readonly status: number;
  /** h_offset of the reply; default 0. */
  readonly offset?: number;
  readonly data?: Uint8Array;
}

/** A handler that gives what `respond` answers. `failed` hears of what it throws. */
export function answering(
  respond: (asked: Asked) => Answer | Promise<Answer>,
  failed: (error: unknown) => void,
): Handler {
  return (request, reply) => {
    const { kernel, header, data: at, length, capacity } = request;
    const { command, offset, extra } = readHeader(kernel, header);
    const give = ({ status, offset: given = 0, data = new Uint8Array(0) }: Answer) => {
      const fits = data.length <= capacity;
      if (fits) kernel.bytes.set(data, at);
      const size = fits ? data.length : 0;
      const facts = { status: fits ? status : STD_OVERFLOW, offset: given, size: size & 0xffff, extra };
      writeHeader(kernel, header, facts);
      reply(size);
    };
    const fault = (error: unknown) => {
      failed(error);
      give({ status: STD_SYSERR });
    };
    try {
      const answer = respond({ command, offset, data: kernel.bytes.slice(at, at + length) });
      if (answer instanceof Promise) answer.then(give, fault);
      else give(answer);
    } catch (error) {
      fault(error);
    }
  };
}
