// Bundles of commands. If one of these fails, an update is lost or gets another one's answer when
// many come at once.

import { describe, expect, it } from "vitest";
import {
  BUNDLE_COMMANDS_MAX,
  Bundles,
  decodeBundle,
  encodeBundle,
  encodeOutcomes,
} from "../../../../control/server/directory/bundles.js";

const commandOf = (number: number, bytes = 4): Uint8Array => new Uint8Array(bytes).fill(number);

/** A group that answers when it is told to: the outcome of a command is its first byte. */
function group(bytesMax = 1000) {
  const sent: { commands: readonly Uint8Array[]; answer: () => void; fail: (error: Error) => void }[] = [];
  const send = (bundle: Uint8Array) =>
    new Promise<Uint8Array>((resolve, reject) => {
      const commands = decodeBundle(bundle);
      const outcomes = commands.map(([first = 0]) => ({ status: 0, object: first, version: first }));
      sent.push({ commands, answer: () => resolve(encodeOutcomes(outcomes)), fail: reject });
    });
  const options = { send, certain: () => undefined, bytesMax: () => bytesMax, after, now: () => 0 };
  return { sent, bundles: new Bundles(options) };
}

/** Nobody else comes: what waits for more goes on at once. */
const after = (_milliseconds: number, action: () => void) => {
  const immediate = setImmediate(action);
  return () => clearImmediate(immediate);
};
const settled = async () => {
  for (let round = 0; round < 4; round++) await new Promise((resolve) => setImmediate(resolve));
};

describe("bundles of commands", () => {
  it("go out at once when none is under way, and together behind one that is", async () => {
    const { sent, bundles } = group();
    const answers = [1, 2, 3].map((number) => bundles.submit(commandOf(number)));
    expect(sent.map(({ commands }) => commands.length)).toEqual([1]);
    sent[0]?.answer();
    await settled();
    expect(sent.map(({ commands }) => commands.length)).toEqual([1, 2]);
    sent[1]?.answer();
    expect((await Promise.all(answers)).map(({ object }) => object)).toEqual([1, 2, 3]);
  });

  it("are never longer than the group takes, unless one command alone is", async () => {
    const { sent, bundles } = group(2 + 3 * (2 + 4));
    const sizes = [4, 4, 4, 4, 4, 60, 4];
    const answers = sizes.map((bytes, index) => bundles.submit(commandOf(index, bytes)));
    for (let at = 0; at < sizes.length; at++) {
      sent[at]?.answer();
      await settled();
    }
    expect(sent.map(({ commands }) => commands.length)).toEqual([1, 3, 1, 1, 1]);
    expect((await Promise.all(answers)).map(({ object }) => object)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it("wait for half of the writers that come back, and no longer when they do not", async () => {
    const { sent, bundles } = group();
    const sizes = () => sent.map(({ commands }) => commands.length);
    for (let writer = 0; writer < 5; writer++) void bundles.submit(commandOf(writer));
    sent[0]?.answer();
    await settled();
    sent[1]?.answer();
    await settled();
    expect(sizes()).toEqual([1, 4]);
    void bundles.submit(commandOf(1));
    expect(sizes()).toEqual([1, 4]);
    void bundles.submit(commandOf(2));
    expect(sizes()).toEqual([1, 4, 2]);
    sent[2]?.answer();
    await settled();
    void bundles.submit(commandOf(3));
    await settled();
    expect(sizes()).toEqual([1, 4, 2, 1]);
  });

  it("have a bounded number of commands", async () => {
    const { sent, bundles } = group(100_000);
    const answers = Array.from({ length: BUNDLE_COMMANDS_MAX + 2 }, () => bundles.submit(commandOf(1)));
    for (const at of [0, 1, 2]) {
      sent[at]?.answer();
      await settled();
    }
    expect(sent.map(({ commands }) => commands.length)).toEqual([1, BUNDLE_COMMANDS_MAX, 1]);
    await Promise.all(answers);
  });

  it("fail alone: those behind them still go out", async () => {
    const { sent, bundles } = group();
    const [first, second] = [bundles.submit(commandOf(1)), bundles.submit(commandOf(2))];
    sent[0]?.fail(new Error("gone"));
    await expect(first).rejects.toThrow("gone");
    await settled();
    sent[1]?.answer();
    expect((await second).object).toBe(2);
  });

  it("of anybody else change nothing", () => {
    const good = encodeBundle([commandOf(1), commandOf(2)]);
    expect(decodeBundle(good)).toEqual([commandOf(1), commandOf(2)]);
    for (let length = 0; length < good.length; length++)
      expect(decodeBundle(good.slice(0, length))).toEqual([]);
    expect(decodeBundle(Uint8Array.of(...good, 0))).toEqual([]);
    const many = encodeBundle(Array.from({ length: BUNDLE_COMMANDS_MAX + 1 }, () => commandOf(1)));
    expect(decodeBundle(many)).toEqual([]);
  });
});
