// If one of these fails, a member of a group is told the end of another operation than its own.

import { describe, expect, it } from "vitest";
import type { KernelExports } from "../../../control/kernel/exports.js";
import { GroupCalls, type GroupCompleted, readDelivery } from "../../../control/kernel/groups.js";
import type { Kernel } from "../../../control/kernel/kernel.js";
import { Pending } from "../../../control/kernel/pending.js";
import * as layout from "../../../core-wasm/layout.js";
import { BC_FAIL, BC_TOOBIG } from "../../../core-wasm/status.js";
import { Room } from "./booted.js";

const handle = (index: number, use: number): number => layout.HANDLE_GROUP | (use << 15) | index;

/** What the kernel would write when an operation has ended. */
function complete(kernel: Kernel, ended: number, status: number, pointer: number, length: number): void {
  const { view } = kernel;
  const at = (field: number) => view.getUint32(layout.LAYOUT_ADDRESS + 4 * field, true);
  const ring = at(layout.LAYOUT_COMPLETIONS);
  const produced = view.getUint32(ring + layout.COMPLETION_PRODUCED, true);
  const place = (produced & at(layout.LAYOUT_COMPLETION_MASK)) * layout.COMPLETION_BYTES;
  const entry = ring + layout.COMPLETION_ENTRIES + place;
  view.setInt32(entry + layout.COMPLETION_HANDLE, ended, true);
  view.setInt32(entry + layout.COMPLETION_STATUS, status, true);
  view.setUint32(entry + layout.COMPLETION_POINTER, pointer, true);
  view.setUint32(entry + layout.COMPLETION_LENGTH, length, true);
  view.setUint32(ring + layout.COMPLETION_PRODUCED, produced + 1, true);
}

describe("callbacks by handle", () => {
  it("outlive the reuse of their place until each has had its end", () => {
    const pending = new Pending<string>();
    pending.add(handle(3, 1), "first");
    pending.add(handle(3, 2), "second");
    pending.add(handle(3, 3), "third");
    expect(pending.take(handle(3, 1))).toBe("first");
    expect(pending.take(handle(3, 3))).toBe("third");
    expect(pending.take(handle(3, 2))).toBe("second");
    for (const use of [1, 2, 3]) expect(pending.take(handle(3, use))).toBeUndefined();
  });
});

describe("completions of group operations", () => {
  it("are not taken for those of RPC threads of the same index", () => {
    const kernel = new Room().attached();
    const ends: unknown[][] = [];
    const done: GroupCompleted = (...end) => ends.push(end);
    const { groups } = kernel;
    // A group that does not exist: the call says so at once, and nobody is called back.
    const at = kernel.buffers.take(64);
    expect(groups.send(7, at, 0, 0, done)).toBeLessThan(0);
    const rpc: number[] = [];
    kernel.bytes.set([1, 2, 3, 4, 5, 6], at);
    const thread = kernel.getreq(at, 0, 0, (status) => rpc.push(status));
    complete(kernel, layout.HANDLE_GROUP | thread, 0, 5, 6);
    kernel.drain();
    expect({ ends, rpc }).toEqual({ ends: [], rpc: [] });
    kernel.kill(thread);
  });

  it("hand over status, length, pointer and handle, once", () => {
    const ends: unknown[][] = [];
    const given = [handle(0, 1), handle(0, 2), BC_TOOBIG];
    const calls = { grp_send: () => given.shift() };
    const host = { bytes: new Uint8Array(0), view: new DataView(new ArrayBuffer(0)), now: () => 0 };
    const groups = new GroupCalls({
      ...host,
      exports: calls as unknown as KernelExports,
      called: () => {},
    });
    for (const name of ["first", "second", "refused"]) {
      groups.send(0, 0, 0, 0, (...end) => ends.push([name, ...end]));
    }
    groups.complete(handle(0, 2), 0, 22, 222);
    groups.complete(handle(0, 1), BC_FAIL, 11, 111);
    groups.complete(handle(0, 1), 0, 11, 111);
    expect(ends).toEqual([
      ["second", 0, 222, 22, handle(0, 2)],
      ["first", BC_FAIL, 111, 11, handle(0, 1)],
    ]);
  });

  it("write a delivery that is read as it stands in the memory", () => {
    const kernel = new Room().kernel();
    const at = kernel.buffers.take(layout.DELIVERY_BYTES);
    kernel.bytes.fill(0, at, at + layout.DELIVERY_BYTES);
    kernel.bytes.set([9, 8, 7, 6, 5, 4], at);
    const fields = [
      [layout.DELIVERY_SEQNO, 11],
      [layout.DELIVERY_MEMBER, 2],
      [layout.DELIVERY_KIND, layout.DELIVERED_RESET],
      [layout.DELIVERY_MESSAGE, 5],
      [layout.DELIVERY_MORE, 3],
      [layout.DELIVERY_INCARNATION, 4],
      [layout.DELIVERY_LENGTH, 77],
    ] as const;
    for (const [offset, value] of fields) kernel.view.setUint32(at + offset, value, true);
    kernel.view.setBigUint64(at + layout.DELIVERY_VIEW, 0x8000000000000005n, true);
    expect(readDelivery(kernel, at)).toMatchObject({
      header: { port: Uint8Array.of(9, 8, 7, 6, 5, 4) },
      seqno: 11,
      member: 2,
      kind: "reset",
      message: 5,
      more: 3,
      incarnation: 4,
      length: 77,
      view: 0x8000000000000005n,
    });
  });
});
