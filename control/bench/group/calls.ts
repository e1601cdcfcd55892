// The calls beside a group: to one server, or to each of several, one after the other.
//
// - The time of one sample is that of the whole row. Sizes above 0 are sink calls: data
//   there, an empty reply back.

import { HEADER, HEADER_COMMAND_AT } from "../../../core-wasm/wire/formats.js";
import { parsePort } from "../../capability/port.js";
import { ECHO, ECHO_SINK } from "../../interface/echo.js";
import { writeHeader } from "../../kernel/calls.js";
import { statusError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { timeCalls } from "../clock.js";
import type { Run } from "../types.js";
import type { Calls } from "./orders.js";

const rowsMin = 20;

/** Measures rows of calls. Rejects at the first call that fails. */
export async function timeRows(kernel: Kernel, { ports, bytes, milliseconds }: Calls): Promise<Run> {
  const headers = ports.map((port) => {
    const header = kernel.buffers.take(HEADER);
    const command = bytes > 0 ? ECHO_SINK : ECHO;
    writeHeader(kernel, header, { port: parsePort(port), command, size: bytes & 0xffff });
    return header;
  });
  const replyHeader = kernel.buffers.take(HEADER);
  const data = kernel.buffers.take(bytes);
  let place = 0;
  let done: (fault?: unknown) => void = () => undefined;
  const next = (): void => {
    const handle = kernel.trans(headers[place] ?? 0, data, bytes, replyHeader, 0, 0, 0, ended);
    if (handle < 0) done(statusError(handle, "a call could not begin"));
  };
  const ended = (status: number): void => {
    if (status < 0) done(statusError(status, "a call failed"));
    else if (kernel.view.getInt16(replyHeader + HEADER_COMMAND_AT, true) !== 0)
      done(new Error("the echo server refused a call"));
    else if (++place < headers.length) next();
    else done();
  };
  try {
    return await timeCalls(
      (whenDone) => {
        done = whenDone;
        place = 0;
        next();
      },
      { milliseconds, callsMin: rowsMin, bytes: bytes * ports.length },
    );
  } finally {
    for (const buffer of [...headers, replyHeader, data]) kernel.buffers.give(buffer);
  }
}
