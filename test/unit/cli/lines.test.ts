// If one of these fails, a line typed at a shell is lost, joined with the next, or fills the memory.

import { PassThrough, Writable } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LineReader, LineWriter } from "../../../control/cli/lines.js";

interface Read {
  readonly lines: string[];
  readonly tooLong: [number, number][];
  readonly ended: Promise<void>;
}

function read(stream: PassThrough, bytesMax: number): Read {
  const lines: string[] = [];
  const tooLong: [number, number][] = [];
  const ended = new Promise<void>((resolve, reject) => {
    new LineReader(stream, () => bytesMax, {
      line: (bytes, number) => {
        lines[number - 1] = Buffer.from(bytes).toString("latin1");
      },
      tooLong: (number, length) => tooLong.push([number, length]),
      end: resolve,
      failed: reject,
    });
  });
  return { lines, tooLong, ended };
}

describe("lines of a stream", () => {
  it("are the same however the stream is cut", async () => {
    const text = fc.array(fc.string({ maxLength: 8, unit: fc.constantFrom("a", "b", "é", "\n") }), {
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(text, async (chunks) => {
        const stream = new PassThrough();
        const { lines, tooLong, ended } = read(stream, 5);
        for (const chunk of chunks) stream.write(Buffer.from(chunk, "latin1"));
        stream.end();
        await ended;
        const whole = chunks.join("").split("\n");
        if (whole.at(-1) === "") whole.pop();
        const long = whole.flatMap((line, i) => (line.length > 5 ? [[i + 1, line.length]] : []));
        expect(tooLong).toEqual(long);
        expect(lines.filter((line) => line !== undefined)).toEqual(whole.filter((line) => line.length <= 5));
      }),
      { numRuns: 100 },
    );
  });
});

describe("lines to a stream", () => {
  it("are written in order, and say when their reader is slow until it is not", async () => {
    const written: Buffer[] = [];
    let goOn: () => void = () => undefined;
    const slow = new Writable({
      write(chunk: Buffer, _encoding, done) {
        written.push(chunk);
        goOn = done;
      },
    });
    const writer = new LineWriter(slow);
    writer.write("first");
    expect(writer.full()).toBeUndefined();
    for (let i = 0; i < 3; i++) writer.write(new Uint8Array(600_000).fill(0x41 + i));
    writer.flush();
    const full = writer.full();
    expect(full).toBeInstanceOf(Promise);
    let room = false;
    void full?.then(() => {
      room = true;
    });
    for (let i = 0; i < 10 && !room; i++) {
      goOn();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(room).toBe(true);
    const all = Buffer.concat(written).toString().split("\n");
    expect(all.map((line) => `${line.slice(0, 5)} ${line.length}`)).toEqual([
      "first 5",
      "AAAAA 600000",
      "BBBBB 600000",
      "CCCCC 600000",
      " 0",
    ]);
  });
});
