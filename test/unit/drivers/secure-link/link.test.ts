// If one of these fails, somebody on the way can read, change, repeat or invent what machines say
// over a secure link, or the link does not come back after losses or a restart.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { SecureLink } from "../../../../drivers/secure-link/link.js";
import { type KeyPair, newKeyPair } from "../../../../drivers/secure-link/noise.js";
import { dataOverhead } from "../../../../drivers/secure-link/session.js";
import { ReplayWindow } from "../../../../drivers/secure-link/window.js";

const keys = { a: newKeyPair(), b: newKeyPair(), stranger: newKeyPair() };

class End {
  readonly got: string[] = [];
  readonly sent: Buffer[] = [];
  readonly link: SecureLink;

  constructor(wire: Wire, own: KeyPair, peer: KeyPair, random: SeededRandom) {
    this.link = new SecureLink({
      ...{ own, peer: peer.publicKey, now: () => wire.now, randomIndex: () => random.next() },
      transmit: (packet) => {
        this.sent.push(packet);
        return true;
      },
      received: (message) => this.got.push(message.toString()),
    });
  }
}

/** Two ends, and the packets between them in the hand of the test. */
class Wire {
  now = 0;
  readonly random = new SeededRandom(1);
  a = new End(this, keys.a, keys.b, this.random);
  b = new End(this, keys.b, keys.a, this.random);

  /** Carries all that is under way until nothing is. */
  carry(): void {
    for (let round = 0; round < 20 && this.a.sent.length + this.b.sent.length > 0; round++) {
      for (const packet of this.a.sent.splice(0)) this.b.link.arrived(packet);
      for (const packet of this.b.sent.splice(0)) this.a.link.arrived(packet);
    }
  }

  /** Time goes on, and both do what is due. */
  wait(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (; this.now < end; this.now += 100) {
      this.a.link.tick();
      this.b.link.tick();
      this.carry();
    }
  }
}

function linked(): Wire {
  const wire = new Wire();
  wire.a.link.send(Buffer.from("first"));
  wire.carry();
  expect(wire.b.got.splice(0)).toEqual(["first"]);
  return wire;
}

const say = (end: End, text: string): boolean => end.link.send(Buffer.from(text));

describe("a secure link", () => {
  it("carries what waited for the handshake and what follows, in both directions", () => {
    const wire = new Wire();
    for (const text of ["one", "two", "three"]) say(wire.a, text);
    wire.carry();
    for (const text of ["four", "five"]) say(wire.b, text);
    wire.carry();
    expect([wire.b.got, wire.a.got]).toEqual([
      ["one", "two", "three"],
      ["four", "five"],
    ]);
    expect([wire.a.link.handshakes, wire.b.link.handshakes]).toEqual([1, 1]);
  });

  it("shows nothing of a message on its way but its length", () => {
    const wire = linked();
    say(wire.a, "a secret that is long enough to be found");
    const [packet] = wire.a.sent;
    expect(packet?.length).toBe(40 + dataOverhead);
    expect(packet?.includes("secret")).toBe(false);
  });

  it("takes each packet once, in whatever order they come", () => {
    const wire = linked();
    for (let i = 0; i < 50; i++) say(wire.a, `${i}`);
    const packets = wire.a.sent.splice(0).reverse();
    for (const packet of [...packets, ...packets]) wire.b.link.arrived(packet);
    expect(wire.b.got).toEqual(Array.from({ length: 50 }, (_, i) => `${49 - i}`));
    expect(wire.b.link.refused).toBe(50);
  });

  it("refuses a packet of which any one bit is wrong, and takes the true one after it", () => {
    const wire = linked();
    say(wire.a, "true");
    const [packet] = wire.a.sent.splice(0);
    if (packet === undefined) throw new Error("nothing was sent");
    for (let bit = 0; bit < packet.length * 8; bit++) {
      if (bit >= 8 && bit < 32) continue; // three bytes that mean nothing
      const wrong = Buffer.from(packet);
      wrong[bit >> 3] = (wrong[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      wire.b.link.arrived(wrong);
    }
    expect(wire.b.got).toEqual([]);
    wire.b.link.arrived(packet);
    expect(wire.b.got).toEqual(["true"]);
  });

  it("has nothing to say to who has another key", () => {
    const wire = new Wire();
    wire.b = new End(wire, keys.stranger, keys.a, wire.random);
    say(wire.a, "secret");
    say(wire.b, "let me in");
    wire.carry();
    wire.wait(5000);
    expect([wire.a.got, wire.b.got]).toEqual([[], []]);
    expect(wire.a.link.refused).toBeGreaterThan(0);
    expect(wire.a.link.handshakes + wire.b.link.handshakes).toBe(0);
  });

  it("begins again when the handshake's packets are lost, and gives up in the end", () => {
    const wire = new Wire();
    say(wire.a, "patience");
    wire.a.sent.splice(0);
    wire.now += 500;
    wire.a.link.tick();
    for (const packet of wire.a.sent.splice(0)) wire.b.link.arrived(packet);
    wire.b.sent.splice(0); // the answer is lost as well
    wire.wait(2000);
    expect(wire.b.got).toEqual(["patience"]);
    const alone = new Wire();
    say(alone.a, "nobody");
    for (; alone.a.link.deadline !== null && alone.now < 600_000; alone.now += 500) alone.a.link.tick();
    expect(alone.now).toBeLessThan(120_000);
    expect(alone.a.sent.length).toBeLessThanOrEqual(40);
  });

  it("agrees when both begin at the same moment", () => {
    const wire = new Wire();
    say(wire.a, "from a");
    say(wire.b, "from b");
    const [fromA, fromB] = [wire.a.sent.splice(0), wire.b.sent.splice(0)];
    for (const packet of fromA) wire.b.link.arrived(packet);
    for (const packet of fromB) wire.a.link.arrived(packet);
    wire.carry();
    for (let i = 0; i < 5; i++) {
      say(wire.a, `a${i}`);
      say(wire.b, `b${i}`);
      wire.carry();
    }
    expect(wire.b.got).toEqual(["from a", "a0", "a1", "a2", "a3", "a4"]);
    expect(wire.a.got).toEqual(["from b", "b0", "b1", "b2", "b3", "b4"]);
  });

  it("is renewed before its keys are too old, without a message lost", () => {
    const wire = linked();
    const said: string[] = [];
    for (let minute = 0; minute < 10; minute++) {
      said.push(`${minute}`);
      say(wire.a, `${minute}`);
      wire.carry();
      wire.wait(60_000);
    }
    expect(wire.b.got).toEqual(said);
    expect(wire.a.link.handshakes).toBeGreaterThanOrEqual(4);
    expect(wire.a.link.handshakes).toBeLessThanOrEqual(8);
  });

  it("takes nothing of a session that is too old", () => {
    const wire = linked();
    say(wire.a, "late");
    const packets = wire.a.sent.splice(0);
    wire.now += 181_000;
    for (const packet of packets) wire.b.link.arrived(packet);
    expect(wire.b.got).toEqual([]);
  });

  it.each(["the one that calls", "the one that is called"])(
    "comes back when %s has started anew",
    (which) => {
      const wire = linked();
      if (which === "the one that calls") wire.a = new End(wire, keys.a, keys.b, wire.random);
      else wire.b = new End(wire, keys.b, keys.a, wire.random);
      wire.now += 600;
      say(wire.a, "lost or not");
      wire.carry();
      wire.wait(2000);
      say(wire.a, "again");
      wire.carry();
      expect(wire.b.got.at(-1)).toBe("again");
    },
  );

  it("does not begin again for messages that want no answer", () => {
    const wire = linked();
    for (let i = 0; i < 20; i++) {
      say(wire.a, `${i}`);
      wire.carry();
      wire.wait(1000);
    }
    expect(wire.b.got).toHaveLength(20);
    expect(wire.a.link.handshakes).toBe(1);
  });

  it("is not disturbed by first messages that somebody repeats or invents", () => {
    const wire = new Wire();
    say(wire.a, "first");
    const old = wire.a.sent.map((packet) => Buffer.from(packet));
    wire.carry();
    for (let i = 0; i < 1000; i++) {
      for (const packet of old) wire.b.link.arrived(packet);
      wire.b.link.arrived(Buffer.concat([Buffer.of(1), Buffer.alloc(103, i)]));
    }
    expect(wire.b.sent.length).toBeLessThanOrEqual(10); // no more answers a second
    wire.b.sent.splice(0);
    say(wire.a, "second");
    say(wire.b, "back");
    wire.carry();
    expect([wire.b.got, wire.a.got]).toEqual([["first", "second"], ["back"]]);
  });

  it("keeps its promises on a wire that loses, repeats, reorders and damages", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const wire = new Wire();
        const dice = new SeededRandom(seed);
        const underWay: { to: () => End; packet: Buffer }[] = [];
        const said = new Set<string>();
        for (let step = 0; step < 400; step++) {
          const [from, text] = dice.chance(0.5) ? [wire.a, `a${step}`] : [wire.b, `b${step}`];
          if (say(from, text)) said.add(text);
          for (const packet of wire.a.sent.splice(0)) underWay.push({ to: () => wire.b, packet });
          for (const packet of wire.b.sent.splice(0)) underWay.push({ to: () => wire.a, packet });
          while (underWay.length > 0 && dice.chance(0.6)) {
            const at = dice.below(underWay.length);
            const { to, packet } = underWay[at] as (typeof underWay)[number];
            if (!dice.chance(0.1)) underWay.splice(at, 1);
            if (dice.chance(0.1)) packet[dice.below(packet.length)] = dice.below(256);
            if (!dice.chance(0.1)) to().link.arrived(packet);
          }
          wire.now += dice.below(1000);
          wire.a.link.tick();
          wire.b.link.tick();
        }
        for (const [end, own] of [
          [wire.a, "b"],
          [wire.b, "a"],
        ] as const) {
          expect(new Set(end.got).size).toBe(end.got.length);
          for (const text of end.got) expect(said.has(text) && text.startsWith(own)).toBe(true);
        }
        expect(wire.a.got.length + wire.b.got.length).toBeGreaterThan(50);
      }),
      { numRuns: 8 },
    );
  });

  it("survives any bytes that somebody sends", () => {
    const wire = linked();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(4), (bytes, type) => {
        const packet = Buffer.from(bytes);
        if (packet.length > 0) packet[0] = type;
        wire.b.link.arrived(packet);
      }),
    );
    expect(wire.b.got).toEqual([]);
  });
});

describe("the window of numbers", () => {
  it("knows what a set would know, of the last 2048", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.nat(5000), fc.nat(40)), { maxLength: 300 }), (numbers) => {
        const window = new ReplayWindow();
        const seen = new Set<number>();
        let next = 0;
        for (const number of numbers) {
          const old = next - number > 2048;
          expect(window.fresh(number)).toBe(!old && !seen.has(number));
          if (old) continue;
          window.mark(number);
          seen.add(number);
          next = Math.max(next, number + 1);
        }
      }),
    );
  });
});
