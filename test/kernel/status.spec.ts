// The status codes are Amoeba's own numbers: a peer that runs the original must agree,
// and a record that carries one must be compared by value.

import * as status from "../../core-wasm/status";

class Answer {
  constructor(
    public handle: i32,
    public status: i32,
  ) {}
}

describe("status codes", () => {
  it("are below zero when the world failed, so that a handle never looks like one", () => {
    expect(status.STD_OK).toBe(0);
    expect(status.RPC_FAILURE).toBe(-1);
    expect(status.STD_CAPBAD).toBe(-1000);
    expect(status.KERNEL_FULL).toBeLessThan(0);
  });

  it("are compared field by field, so that a wrong status in a record is seen", () => {
    expect(new Answer(7, status.STD_OK)).toStrictEqual(new Answer(7, status.STD_OK));
    expect(new Answer(7, status.STD_OK)).not.toStrictEqual(new Answer(7, status.STD_DENIED));
  });
});
