// If one of these fails, noise on a serial line reaches a kernel as a frame, or one bad frame takes
// good ones with it, or a hostile other end fills the memory.

import fc from "fast-check";
import * as serialport from "serialport";
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { disturb } from "../../../../drivers/serial/cable.js";
import { SerialFraming } from "../../../../drivers/serial/framing.js";

const messageBytesMax = 600;

function line() {
  const sent: Buffer[] = [];
  const received: Buffer[] = [];
  const framing = new SerialFraming(serialport, {
    messageBytesMax,
    send: (bytes) => sent.push(bytes),
    received: (message) => received.push(Buffer.from(message)),
  });
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  /** The messages as bytes of the line. */
  const encode = async (messages: readonly Uint8Array[]): Promise<Buffer> => {
    for (const message of messages) framing.write(message);
    await settle();
    return Buffer.concat(sent.splice(0));
  };
  const decode = async (bytes: Buffer, pieces: readonly number[] = []): Promise<Buffer[]> => {
    let at = 0;
    for (const piece of pieces) {
      framing.push(bytes.subarray(at, at + piece));
      at += piece;
    }
    framing.push(bytes.subarray(at));
    await settle();
    return received.splice(0);
  };
  return { framing, encode, decode };
}

const message = fc.uint8Array({ minLength: 1, maxLength: messageBytesMax });
/** The bytes that SLIP has to escape come often. */
const special = fc
  .array(fc.constantFrom(0xc0, 0xdb, 0xdc, 0xdd, 0x11, 0x13, 0), { minLength: 1, maxLength: 80 })
  .map((bytes) => Uint8Array.from(bytes));

describe("messages on a serial line", () => {
  it("come back as they were, however the line cuts them", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(message, special), { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat(200)),
        async (messages, pieces) => {
          const { encode, decode, framing } = line();
          const back = await decode(await encode(messages), pieces);
          expect(back.map((each) => [...each])).toEqual(messages.map((each) => [...each]));
          expect(framing.damaged).toBe(0);
        },
      ),
    );
  });

  it("come unchanged or not at all when the line is noisy, and those after the noise come", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(message, { minLength: 1, maxLength: 8 }),
        fc.integer(),
        fc.double({ min: 0.0001, max: 0.05, noNaN: true }),
        async (messages, seed, noise) => {
          const { encode, decode } = line();
          const noisy = disturb(await encode(messages), noise, new SeededRandom(seed));
          const texts = messages.map((each) => Buffer.from(each).toString("hex"));
          for (const each of await decode(noisy)) expect(texts).toContain(each.toString("hex"));
          const last = Uint8Array.of(1, 2, 3);
          expect((await decode(await encode([last]))).at(-1)).toEqual(Buffer.from(last));
        },
      ),
    );
  });

  it("are counted when one bit of them is wrong, and the one behind comes", async () => {
    const { encode, decode, framing } = line();
    const [first, second] = [Buffer.from("first"), Buffer.from("second")];
    const bytes = await encode([first, second]);
    bytes[3] = (bytes[3] ?? 0) ^ 4;
    expect(await decode(bytes)).toEqual([second]);
    expect(framing.damaged).toBe(1);
  });

  it("do not fill the memory when the other end never ends one", async () => {
    const { encode, decode, framing } = line();
    const endless = Buffer.alloc(64 * 1024, 0x55);
    const before = process.memoryUsage().rss;
    for (let sent = 0; sent < 64 * 1024 * 1024; sent += endless.length) await decode(endless);
    expect(process.memoryUsage().rss - before).toBeLessThan(32 * 1024 * 1024);
    expect(await decode(await encode([Buffer.from("good")]))).toEqual([Buffer.from("good")]);
    expect(framing.damaged).toBe(1);
  });

  it("are refused when they are longer than any can be, with the right check", async () => {
    const { encode, decode, framing } = line();
    expect(await decode(await encode([new Uint8Array(messageBytesMax + 1)]))).toEqual([]);
    expect(framing.damaged).toBe(1);
  });

  it("are not made of escapes alone, of ENDs alone, or of the start of one", async () => {
    const { encode, decode } = line();
    for (const byte of [0xc0, 0xdb, 0xdc]) expect(await decode(Buffer.alloc(5000, byte))).toEqual([]);
    const whole = await encode([Buffer.from("half of it")]);
    expect(await decode(whole.subarray(0, 7))).toEqual([]);
    expect(await decode(whole)).toEqual([Buffer.from("half of it")]);
  });
});
