// The calls as a host makes them: what is refused at the door, before there is a kernel.

import { LEGACY_BYTES_MAX } from "../../../core-wasm/limits";
import { getreq, putrep, rpc_getreq, rpc_putrep, rpc_trans, trans } from "../../../core-wasm/rpc/calls";
import { KERNEL_BADHANDLE, RPC_BADADDRESS, RPC_FAILURE } from "../../../core-wasm/status";

const LARGE: i32 = LEGACY_BYTES_MAX + 1;

describe("trans, getreq and putrep", () => {
  it("refuse more than 30,000 bytes a buffer, as the original does", () => {
    expect(trans(4096, 4096, LARGE, 4096, 0, 0, 0, 0)).toBe(RPC_FAILURE);
    expect(trans(4096, 0, 0, 4096, 4096, LARGE, 0, 0)).toBe(RPC_FAILURE);
    expect(getreq(4096, 4096, LARGE, 0)).toBe(RPC_FAILURE);
    expect(putrep(0, 4096, 4096, LARGE, 0)).toBe(RPC_FAILURE);
  });

  it("answer a status and never trap before boot", () => {
    expect(rpc_trans(4096, 0, 0, 4096, 0, 0, 0, 0)).toBe(RPC_BADADDRESS);
    expect(rpc_getreq(4096, 0, 0, 0)).toBe(RPC_BADADDRESS);
    expect(rpc_putrep(0, 4096, 0, 0, 0)).toBe(KERNEL_BADHANDLE);
    expect(trans(4096, 0, 0, 4096, 0, 0, 0, 0)).toBe(RPC_BADADDRESS);
  });
});
