// The echo server; control/interface/echo.ts says what it answers, and is compiled into this one.
//
// - A request is its own reply. The source's bytes lie in memory taken at boot.
// - Executions are counted here, the count itself excepted.

import { ECHO_BYTES_MAX, ECHO_EXECUTIONS, ECHO_SINK, ECHO_SOURCE } from "../../build/metal/interface";
import { STD_ARGBAD, STD_OK } from "../../core-wasm/status";
import {
  command,
  headerExtra,
  headerOffset,
  setHeaderExtra,
  setHeaderOffset,
  setHeaderSize,
  setStatus,
} from "../../core-wasm/wire/header";
import { replyWith } from "./services";

/** Commands executed since the start, ECHO_EXECUTIONS excepted. */
export let executions: u32 = 0;
let source: usize = 0;
let sourceBytes: u32 = 0;

export function echoOpen(memory: usize, bytes: u32): void {
  source = memory;
  sourceBytes = bytes;
}

function answer(header: usize, status: i32, offset: i32, size: u32): void {
  setStatus(header, status);
  setHeaderOffset(header, offset);
  setHeaderSize(header, size & 0xffff);
  setHeaderExtra(header, (headerExtra(header) + 1) & 0xffff);
}

export function echoServe(header: usize, data: usize, length: u32): void {
  const offset = headerOffset(header);
  switch (command(header)) {
    case ECHO_EXECUTIONS:
      answer(header, STD_OK, executions as i32, 0);
      return;
    case ECHO_SINK:
      executions++;
      answer(header, STD_OK, offset, length);
      return;
    case ECHO_SOURCE: {
      executions++;
      const good = offset >= 0 && (offset as u32) <= min<u32>(sourceBytes, ECHO_BYTES_MAX);
      answer(header, good ? STD_OK : STD_ARGBAD, offset, good ? (offset as u32) : 0);
      if (good) replyWith(source, offset as u32);
      return;
    }
    default:
      executions++;
      answer(header, STD_OK, offset, length);
      replyWith(data, length);
  }
}
