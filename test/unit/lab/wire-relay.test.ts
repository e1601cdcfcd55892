// The process that stands in an impaired link: what it is told holds for the frames of that
// link, both ways, and for no others.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OrderRefused, order, takeOrders } from "../../../control/lab/orders.js";
import { type Wire, type WireEnd, WireRelay } from "../../../control/lab/wire-relay.js";

class FakeEnd implements WireEnd {
  readonly arriving: Uint8Array[] = [];
  readonly written: string[] = [];
  open = true;
  full = false;

  constructor(readonly name: string) {}

  read(bytes: Uint8Array): number {
    const frame = this.arriving.shift();
    if (frame === undefined) return 0;
    bytes.set(frame);
    return frame.length;
  }

  write(frame: Uint8Array): boolean {
    if (!this.full) this.written.push(Buffer.from(frame).toString());
    return !this.full;
  }

  close(): void {
    this.open = false;
  }
}

const wire = (name: string, faults: Partial<Wire["faults"]> = {}): Wire => ({
  bridge: name,
  node: `${name}n`,
  network: `${name}l`,
  faults: { delayMs: 0, reorder: 0, duplicate: 0, corrupt: 0, ...faults },
});

function relay(refused = "") {
  const ends = new Map<string, FakeEnd>();
  const made = new WireRelay(
    (name) => {
      if (name === refused) throw Object.assign(new Error(`no ${name}`), { code: "TAP_FAILED" });
      const end = new FakeEnd(name);
      ends.set(name, end);
      return end;
    },
    () => 1,
  );
  const end = (name: string): FakeEnd => {
    const found = ends.get(name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  };
  return { relay: made, end };
}

describe("the wires of a lab", () => {
  it("carry frames both ways, late by their delay, and say when the next is due", () => {
    const { relay: wires, end } = relay();
    expect(wires.set([wire("a", { delayMs: 2 }), wire("b")])).toEqual(["a", "b"]);
    end("an").arriving.push(Buffer.from("to the network"));
    end("al").arriving.push(Buffer.from("to the node"));
    end("bn").arriving.push(Buffer.from("at once"));
    expect(wires.turn(1000)).toBe(2000);
    expect(end("bl").written).toEqual(["at once"]);
    expect([end("al").written, end("an").written]).toEqual([[], []]);
    expect(wires.turn(2999)).toBe(1);
    expect(wires.turn(3000)).toBe(Number.POSITIVE_INFINITY);
    expect(end("al").written).toEqual(["to the network"]);
    expect(end("an").written).toEqual(["to the node"]);
  });

  it("give every link its turn, and come back at once when there is more", () => {
    const { relay: wires, end } = relay();
    wires.set([wire("a"), wire("b")]);
    for (let i = 0; i < 100; i++) end("an").arriving.push(Buffer.from(`${i}`));
    end("bn").arriving.push(Buffer.from("other"));
    expect(wires.turn(0)).toBe(0);
    expect(end("bl").written).toEqual(["other"]);
    expect(end("al").written.length).toBeLessThan(100);
    wires.turn(1);
    expect(end("al").written).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
  });

  it("are those of the last order: new ones open, others close, the rest go on", () => {
    const { relay: wires, end } = relay();
    wires.set([wire("a"), wire("b")]);
    const kept = end("bn");
    expect(wires.set([wire("b", { duplicate: 1 }), wire("c")])).toEqual(["c"]);
    expect([end("an").open, end("al").open, kept.open]).toEqual([false, false, true]);
    expect(end("bn")).toBe(kept);
    kept.arriving.push(Buffer.from("twice"));
    wires.turn(0);
    expect(end("bl").written).toEqual(["twice", "twice"]);
    expect(wires.set([])).toEqual([]);
    expect(wires.ends).toEqual([]);
  });

  it("stay as they were when a new one cannot be made", () => {
    const { relay: wires, end } = relay("cl");
    wires.set([wire("a")]);
    expect(() => wires.set([wire("b"), wire("c")])).toThrow("no cl");
    expect(wires.ends.map(({ name }) => name)).toEqual(["an", "al"]);
    expect([end("bn").open, end("bl").open, end("cn").open]).toEqual([false, false, false]);
  });

  it("count what the other side has no room for", () => {
    const { relay: wires, end } = relay();
    wires.set([wire("a")]);
    end("al").full = true;
    end("an").arriving.push(Buffer.from("lost"));
    wires.turn(0);
    expect(wires.lost).toBe(1);
  });
});

describe("an order", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "orders-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("is answered with what came of it, or with why not", async () => {
    const path = join(folder, "socket");
    const server = takeOrders((what) => {
      const { say } = what as { say: string };
      if (say === "no")
        throw Object.assign(new Error("it cannot be"), { code: "NEVER", hint: "ask another" });
      return { said: say };
    });
    await new Promise<void>((resolve) => server.listen(path, () => resolve()));
    expect(await order(path, { say: "yes" })).toEqual({ said: "yes" });
    const refused = await order(path, { say: "no" }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(OrderRefused);
    expect(refused).toMatchObject({
      refusal: { code: "NEVER", message: "it cannot be", hint: "ask another" },
    });
    await new Promise((resolve) => server.close(resolve));
    await expect(order(path, { say: "yes" })).rejects.toThrow();
  });
});
