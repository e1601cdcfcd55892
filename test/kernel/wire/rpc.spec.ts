// RPC and message headers inside the kernel, from machines of either byte order.

import * as rpc from "../../../core-wasm/wire/rpc";
import * as header from "../../../core-wasm/wire/header";
import { FRAME_MALFORMED } from "../../../core-wasm/status";

const message = memory.data(64, 8);

function write(type: u32): void {
  memory.fill(message, 0, 64);
  rpc.rpcHeader(message, 0x1122334455667788, 0x060504030201, type, rpc.RPC_RETRANS, 0x0a0b0c0d, 7, 9);
  const at = message + rpc.RPC_HEADER;
  header.setHeaderPort(at, 0x665544332211);
  header.setSignature(at, 0xccbbaa998877);
  header.setCommand(at, 1004);
  header.setHeaderOffset(at, -2);
  header.setHeaderSize(at, 30000);
  header.setHeaderExtra(at, 77);
}

function expectFields(): void {
  expect(rpc.kid(message)).toBe(0x1122334455667788);
  expect(rpc.port(message)).toBe(0x060504030201);
  expect(rpc.rpcFlags(message)).toBe(rpc.RPC_RETRANS);
  expect(rpc.tid(message)).toBe(0x0a0b0c0d);
  expect(rpc.destThread(message)).toBe(7);
  expect(rpc.fromThread(message)).toBe(9);
}

function expectHeader(): void {
  const at = message + rpc.RPC_HEADER;
  expect(header.headerPort(at)).toBe(0x665544332211);
  expect(header.signature(at)).toBe(0xccbbaa998877);
  expect(header.command(at)).toBe(1004);
  expect(header.headerOffset(at)).toBe(-2);
  expect(header.headerSize(at)).toBe(30000);
  expect(header.headerExtra(at)).toBe(77);
}

describe("an RPC message", () => {
  it("has every field where it was put", () => {
    write(rpc.RPC_REQUEST);
    expect(rpc.check(message, 56)).toBe(0);
    expectFields();
    expectHeader();
  });

  it("of a big-endian machine is little-endian after the check, message header included", () => {
    write(rpc.RPC_REPLY);
    rpc.swapRpc(message);
    header.swapHeader(message + rpc.RPC_HEADER);
    rpc.setRpcFlags(message, rpc.RPC_RETRANS | rpc.RPC_BIGENDIAN);
    expect(rpc.check(message, 56)).toBe(0);
    expectFields();
    expectHeader();
    expect(rpc.check(message, 56)).toBe(0);
    expectFields();
  });

  it("without a message header keeps the bytes behind it", () => {
    write(rpc.RPC_ACK);
    rpc.swapRpc(message);
    rpc.setRpcFlags(message, rpc.RPC_RETRANS | rpc.RPC_BIGENDIAN);
    expect(rpc.check(message, 24)).toBe(0);
    expectFields();
    expectHeader();
  });

  it("is refused when what its type needs did not come", () => {
    for (let type: u32 = 0; type < 256; type++) {
      write(type);
      const least: u32 =
        type == rpc.RPC_REQUEST || type == rpc.RPC_REPLY ? 56 : type == rpc.RPC_FORWARD ? 32 : 24;
      expect(rpc.check(message, least - 1)).toBe(FRAME_MALFORMED);
      expect(rpc.check(message, least) == 0).toBe(type >= rpc.RPC_LOCATE && type <= rpc.RPC_REPEAT);
    }
  });

  it("carries a negative status in the field of the command", () => {
    write(rpc.RPC_REPLY);
    header.setStatus(message + rpc.RPC_HEADER, -1005);
    expect(header.status(message + rpc.RPC_HEADER)).toBe(-1005);
    expect(header.headerOffset(message + rpc.RPC_HEADER)).toBe(-2);
  });
});
