// If one of these fails, a capture shows frames twice, too many or out of order, or a mistake on
// the command line opens something. Real frames: test/end-to-end/capture.test.ts.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, describe, expect, it } from "vitest";
import { CaptureSession, type FrameSink, type Totals } from "../../../control/cli/capture-session.js";
import { fileSink, jsonSink, textSink } from "../../../control/cli/capture-sinks.js";
import type { Tap, TapFrame } from "../../../drivers/tap.js";
import { bytes, capturedFrames, kernel } from "../wire/golden.js";
import { proteus } from "./command.js";

const folder = mkdtempSync(join(tmpdir(), "capture-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A tap that shows what the test puts into it. */
class FakeTap implements Tap {
  waiting: TapFrame[] = [];
  lost = 0;
  closed = false;
  awake: (() => void) | null = null;

  constructor(readonly name: string) {}

  show(...times: number[]): void {
    for (const timeUs of times) this.waiting.push({ timeUs, outgoing: false, bytes: Uint8Array.of(timeUs) });
  }

  poll(): TapFrame[] {
    return this.waiting.splice(0, 2);
  }

  watch(callback: (() => void) | null): void {
    this.awake = callback;
  }

  dropped(): number {
    return this.lost;
  }

  close(): void {
    this.closed = true;
  }
}

class Recording implements FrameSink {
  readonly seen: [number, number][] = [];
  totals: Totals | undefined;

  frame(place: number, { timeUs }: TapFrame): void {
    this.seen.push([place, timeUs]);
  }

  flush(): void {}

  close(totals: Totals): void {
    this.totals = totals;
  }
}

function session(count = Number.POSITIVE_INFINITY) {
  const taps = [new FakeTap("eth0"), new FakeTap("eth1")] as const;
  const sink = new Recording();
  const ends: unknown[] = [];
  const run = new CaptureSession(taps, [sink], count, (error) => ends.push(error));
  return { taps, sink, ends, run };
}

describe("a capture of several interfaces", () => {
  it("hands frames over once, by their times within a round, and ends with what the taps counted", () => {
    const { taps, sink, run } = session();
    taps[0].show(10, 30, 50);
    taps[1].show(20, 40);
    taps[0].awake?.();
    expect(sink.seen).toEqual([
      [0, 10],
      [1, 20],
      [0, 30],
      [1, 40],
      [0, 50],
    ]);
    taps[1].show(60);
    taps[1].lost = 7;
    const totals = {
      frames: 6,
      dropped: 7,
      interfaces: [
        { name: "eth0", frames: 3, dropped: 0 },
        { name: "eth1", frames: 3, dropped: 7 },
      ],
    };
    expect(run.stop()).toEqual(totals);
    expect(sink.seen.at(-1)).toEqual([1, 60]);
    expect(sink.totals).toEqual(totals);
    expect(taps.map(({ closed }) => closed)).toEqual([true, true]);
  });

  it("ends after exactly so many frames", () => {
    const { taps, sink, ends, run } = session(3);
    taps[0].show(1, 2, 3, 4, 5);
    taps[0].awake?.();
    expect(ends).toEqual([undefined]);
    taps[0].awake?.();
    expect(run.stop().frames).toBe(3);
    expect(sink.seen.map(([, time]) => time)).toEqual([1, 2, 3]);
  });

  it("ends with the error of a sink", () => {
    const { taps, sink, ends } = session();
    const full = new Error("no space left");
    sink.flush = () => {
      throw full;
    };
    taps[0].show(1);
    taps[0].awake?.();
    expect(ends).toEqual([full]);
  });
});

/** Every frame of the vectors, one a millisecond. */
const frames = capturedFrames.map(({ hex }, index) => ({
  timeUs: 1_700_000_000_000_001 + index * 1000,
  outgoing: index % 2 === 0,
  bytes: bytes(hex),
}));

function feed(sink: FrameSink): void {
  for (const frame of frames) sink.frame(0, frame);
  sink.flush();
  sink.close({ frames: frames.length, dropped: 0, interfaces: [] });
}

describe("what a capture shows", () => {
  const linesOf = (stream: PassThrough): string[] => String(stream.read()).trimEnd().split("\n");

  it("is a line for each frame: time, interface, direction, layers", () => {
    const stream = new PassThrough({ highWaterMark: 1 << 22 });
    feed(textSink(kernel, ["eth0"], stream));
    const lines = linesOf(stream);
    expect(lines).toHaveLength(frames.length);
    for (const [index, line] of lines.entries())
      expect(line).toMatch(
        index % 2 === 0
          ? /^\d\d:\d\d:\d\d\.\d{3}001 eth0 out ..:/
          : /^\d\d:\d\d:\d\d\.\d{3}001 eth0 in {2}..:/,
      );
  });

  it("is a JSON document for each frame, and the totals last", () => {
    const stream = new PassThrough({ highWaterMark: 1 << 22 });
    feed(jsonSink(kernel, ["eth0"], stream));
    const documents = linesOf(stream).map((line) => JSON.parse(line));
    expect(documents).toHaveLength(frames.length + 1);
    expect(documents[0]).toMatchObject({
      schema: 1,
      time: "2023-11-14T22:13:20.000001Z",
      interface: "eth0",
      direction: "out",
      bytes: frames[0]?.bytes.length,
      flip: { type: "MULTIDATA" },
      rpc: { type: "LOCATE" },
    });
    expect(documents.at(-1)).toEqual({
      schema: 1,
      summary: { frames: frames.length, dropped: 0, interfaces: [] },
    });
  });

  it("is in the file when its round is over, not only at the end", () => {
    const path = join(folder, "round.pcap");
    const sink = fileSink(path, ["eth0"]);
    const [first] = frames;
    if (first === undefined) throw new Error("there are no vectors");
    sink.frame(0, first);
    sink.flush();
    expect(readFileSync(path)).toHaveLength(24 + 16 + first.bytes.length);
    sink.close({ frames: 1, dropped: 0, interfaces: [] });
  });

  it("is refused by a disk that is full, and by a folder that is not there", () => {
    expect(() => fileSink("/dev/full", ["eth0"])).toThrow("/dev/full cannot be written");
    expect(() => fileSink(join(folder, "none", "x.pcap"), ["eth0"])).toThrow("cannot be written");
  });
});

describe("a mistake", () => {
  it.each([
    [[], /name a machine/],
    [["n1", "--interface", "eth0"], /exclude each other/],
    [["--interface", "eth0", "--interface", "eth0"], /named twice/],
    [["--interface", "eth0", "--count", "0"], /not a count/],
    [["--interface", "eth0", "--duration", "soon"], /not a duration/],
    [["--interface", "eth0", "-w", "-", "--json"], /both want standard output/],
    [["--interface", "eth0", "-q"], /would leave nothing/],
  ])("%j is wrong usage", async (words, message) => {
    const { stdout, stderr, exit } = await proteus("capture", ...words);
    expect({ stdout, exit }).toEqual({ stdout: "", exit: 2 });
    expect(stderr).toMatch(message);
  });

  it("in the interface is said with what to do", async () => {
    const { stderr, exit } = await proteus("capture", "--interface", "no-such-if", "--json");
    expect(exit).toBe(3);
    expect(JSON.parse(stderr).error.code).toBe("ETHERNET_NO_INTERFACE");
  });
});
