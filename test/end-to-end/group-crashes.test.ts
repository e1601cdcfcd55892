// The promise of a group with resilience 1: while members send, the machine of the sequencer
// loses its power, twice. Who survives has every acknowledged line, once, all in one order.

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type GroupLine, GroupProgram, groupInfo } from "./groups.js";
import { Programs, until } from "./programs.js";

const tier = process.env.PROTEUS_TIER ?? "quick";
const linesEach = tier === "quick" ? 600 : 10_000;
const patienceMs = tier === "quick" ? 60_000 : 300_000;
const name = "proof";
const nodes = ["n1", "n2", "n3"] as const;

describe("a group whose sequencer's machine is killed twice", () => {
  const pool = new Programs();
  beforeAll(async () => {
    await pool.up("--nodes", "4");
  });
  afterAll(() => pool.close());

  it(`has every acknowledged line of ${linesEach} each, once and in one order, at every survivor`, async () => {
    const all: GroupProgram[] = [];
    const alive = new Set<GroupProgram>();
    let killed = 0;
    // At least so many lines each, and on until both kills have met senders in the middle.
    const more = (lines: number): boolean => lines < linesEach || killed < 2;
    const start = async (node: string) => {
      const words = [name, "--create", "--resilience", "1", "--minimum", "2"];
      const program = new GroupProgram(pool, node, words, { window: 8, name: `${node}.${all.length}` });
      all.push(program);
      alive.add(await program.joined());
      return program;
    };
    for (const node of nodes) await start(node);
    for (const program of all) program.sendWhile(more);

    while (killed < 2) {
      const counts = new Map([...alive].map((program) => [program, program.acknowledged.size]));
      const goOn = () =>
        [...counts].every(([{ acknowledged }, before]) => acknowledged.size > before + 100) || undefined;
      await until("all to send", goOn, patienceMs);
      const { sequencer } = await groupInfo(pool, "n4", name);
      const victim = [...alive].find(({ id }) => id === sequencer);
      if (victim === undefined) throw new Error(`nobody is member ${sequencer}`);
      alive.delete(victim);
      await pool.lab.must(["lab", "kill", victim.node]);
      await victim.running.outcome;
      expect(victim.acknowledged.size).toBeGreaterThan(100);
      await pool.lab.must(["lab", "start", victim.node]);
      const back = await start(victim.node);
      back.sendWhile(more);
      killed++;
    }
    for (const program of alive) program.sendWhile(more);
    const finished = () =>
      [...alive].every(({ done, acknowledged: { size } }) => done && size >= linesEach) || undefined;
    await until("all lines of the survivors", finished, patienceMs);
    let last = 0; // of too many to be arguments of Math.max
    for (const { acknowledged } of alive)
      for (const seqno of acknowledged.values()) last = Math.max(last, seqno);
    const level = () => [...alive].every(({ got }) => (got.at(-1)?.seqno ?? 0) >= last) || undefined;
    await until("all to have delivered all", level);

    const [veteran, ...others] = [...alive];
    if (veteran === undefined || veteran !== all.find((program) => alive.has(program)))
      throw new Error("none left");
    const order = new Map(veteran.got.map((line) => [line.seqno, line]));
    expect(veteran.said.filter((line) => line.startsWith("cut off"))).toEqual([]);
    expect(veteran.got.filter(({ kind }) => kind === "reset").length).toBeGreaterThanOrEqual(2);
    // Everybody, the dead too, delivered what the veteran delivered, without a gap.
    const from = veteran.got[0]?.seqno ?? 0;
    const isSame = (line: GroupLine) => line.seqno < from || order.get(line.seqno)?.text === line.text;
    for (const { got } of all) {
      expect(got.filter((line) => !isSame(line))).toEqual([]);
      expect(got.filter(({ seqno }, i) => i > 0 && seqno !== (got[i - 1]?.seqno ?? 0) + 1)).toEqual([]);
    }
    for (const { got } of others) expect(got.at(-1)?.seqno).toBeGreaterThanOrEqual(last);
    // Every line that was acknowledged, to whomever, is there, under its seqno, and once.
    const texts = veteran.texts;
    expect(new Set(texts).size).toBe(texts.length);
    let acknowledged = 0;
    for (const program of all) {
      for (const [text, seqno] of program.acknowledged) {
        acknowledged++;
        if (seqno >= from && order.get(seqno)?.text !== text)
          throw new Error(`"${text}" was acknowledged as ${seqno}, where there is ${order.get(seqno)?.text}`);
      }
    }
    expect(acknowledged).toBeGreaterThanOrEqual(3 * linesEach);
    // Each sender's lines come in the order of sending.
    for (const program of all) {
      const own = new Map(texts.map((text, i) => [text, i]));
      const places = [...program.acknowledged.keys()]
        .map((text) => own.get(text) ?? -1)
        .filter((i) => i >= 0);
      expect(places).toEqual([...places].sort((a, b) => a - b));
    }
    for (const program of alive) expect(await program.stop()).toMatchObject({ status: 0 });
  });
});
