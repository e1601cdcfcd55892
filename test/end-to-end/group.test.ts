// Groups at a shell: three machines see the same lines in the same order, also when machines
// lose their power; what the group is, and every mistake, is said clearly.

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { isLong } from "../simulation/seeds.js";
import { GroupProgram, groupInfo } from "./groups.js";
import type { Outcome } from "./lab-runner.js";
import { Programs, until, within } from "./programs.js";

/** The group works again 3 s after a machine died; the rest is for a busy machine. */
const recoveredMs = 4000;

function errorOf({ stdout, stderr }: Outcome): { code: string; message: string; why: string } {
  expect(stdout).toBe("");
  const last = stderr.trimEnd().split("\n").at(-1) ?? "";
  return JSON.parse(last).error;
}

describe("a group of three machines", () => {
  const pool = new Programs();
  let running: GroupProgram[] = [];

  beforeAll(async () => {
    await pool.up("--nodes", "4");
  });
  afterAll(() => pool.close());
  afterEach(async () => {
    await Promise.all(running.map((program) => program.stop().catch(() => undefined)));
    running = [];
  });

  function join(node: string, ...words: string[]): Promise<GroupProgram> {
    const program = new GroupProgram(pool, node, words);
    running.push(program);
    return program.joined();
  }

  const sequencerOf = async (name: string): Promise<GroupProgram> => {
    const { sequencer } = await groupInfo(pool, "n4", name);
    const found = running.find(({ id }) => id === sequencer);
    if (found === undefined) throw new Error(`no program of ours is member ${sequencer}`);
    return found;
  };

  it("that is created by all at once is one group, and its members see one order", async () => {
    const members = await Promise.all(["n1", "n2", "n3"].map((node) => join(node, "order", "--create")));
    const lines = (who: number) => Array.from({ length: 300 }, (_, i) => `${who}:${i}`);
    for (const [who, member] of members.entries()) member.send(...lines(who));
    await until("all lines", () => (members.every(({ done }) => done) ? true : undefined));
    const [first, second, third] = members as [GroupProgram, GroupProgram, GroupProgram];
    const said = await pool.run("n4", "group", "send", "order", "from", "outside");
    expect(said).toMatchObject({ status: 0, stdout: expect.stringMatching(/^ordered as message \d+\n$/) });
    await Promise.all(members.map((member) => member.hears("from outside")));
    // All were there from the last join on.
    const from = Math.max(...members.map(({ got }) => got[0]?.seqno ?? 0));
    const since = ({ got }: GroupProgram) => got.filter(({ seqno }) => seqno > from);
    expect(since(second)).toEqual(since(first));
    expect(since(third)).toEqual(since(first));
    for (const [who, { texts }] of members.entries()) {
      expect(texts.filter((text) => text.startsWith(`${who}:`))).toEqual(lines(who));
    }

    const info = await groupInfo(pool, "n4", "order");
    expect(info).toMatchObject({ name: "order", state: "normal", resilience: 0, minimum: 1 });
    expect(info.members.map(({ id }) => id).sort()).toEqual([0, 1, 2]);
    const list = await pool.run("n4", "group", "list", "--json");
    expect(JSON.parse(list.stdout).groups).toMatchObject([{ name: "order", members: { length: 3 } }]);
  });

  it("goes on within 3 s when a member's machine dies, and again when the sequencer's does", async () => {
    for (const node of ["n1", "n2", "n3"]) await join(node, "crash", "--create");
    const dead: string[] = [];
    for (const sequencer of [false, true]) {
      const leader = await sequencerOf("crash");
      const alive = running.filter(({ node }) => !dead.includes(node));
      const victim = sequencer ? leader : alive.find((member) => member !== leader);
      const survivors = alive.filter((member) => member !== victim);
      if (victim === undefined) throw new Error("nobody to kill");
      await pool.lab.must(["lab", "kill", victim.node]);
      const killed = performance.now();
      dead.push(victim.node);
      for (const [i, member] of survivors.entries()) member.send(`without ${dead.length}, ${i}`);
      for (const member of survivors)
        for (const [i] of survivors.entries()) await member.hears(`without ${dead.length}, ${i}`, 10_000);
      expect(performance.now() - killed).toBeLessThan(recoveredMs);
      // A message need not wait until the group has noticed who is gone.
      const info = await until(
        "a group of the survivors",
        async () => {
          const now = await groupInfo(pool, "n4", "crash");
          return now.members.length === survivors.length ? now : undefined;
        },
        recoveredMs,
      );
      expect(survivors.map(({ id }) => id)).toContain(info.sequencer);
    }
    for (const node of dead) await pool.lab.must(["lab", "start", node]);
    running = running.filter(({ node }) => !dead.includes(node));
    const back = await join(dead[0] as string, "crash");
    back.send("back again");
    await Promise.all(running.map((member) => member.hears("back again")));
  });

  it("goes on at once when its sequencer leaves, and says who left", async () => {
    for (const node of ["n1", "n2", "n3"]) await join(node, "leave", "--create");
    const leader = await sequencerOf("leave");
    const others = running.filter((member) => member !== leader);
    expect(await leader.stop()).toMatchObject({ status: 0 });
    for (const [i, member] of others.entries()) member.send(`after, ${i}`);
    for (const member of others) {
      for (const [i] of others.entries()) await member.hears(`after, ${i}`, recoveredMs);
      expect(member.got).toContainEqual(expect.objectContaining({ kind: "leave", member: leader.id }));
    }
  });

  it("takes a member back whose cable was pulled, with its lines once, and never becomes two", async () => {
    for (const node of ["n1", "n2", "n3"]) await join(node, "cable", "--create", "--minimum", "2");
    const cut = await sequencerOf("cable");
    const others = running.filter((member) => member !== cut);
    const link = (state: string) => pool.lab.exec(cut.node, "ip", "link", "set", "eth0", state);
    const lines = Array.from({ length: 2000 }, (_, i) => `line ${i}`);
    cut.send(...lines);
    await until("some lines", () => cut.acknowledged.size > 200 || undefined);
    expect(await link("down")).toMatchObject({ status: 0 });
    for (const member of others) member.send(`meanwhile, ${member.node}`);
    for (const member of others) await member.hears(`meanwhile, ${member.node}`);
    expect(await link("up")).toMatchObject({ status: 0 });
    await until("the lines of the one that was cut off", () => cut.done || undefined, 40_000);
    cut.send("back again");
    for (const member of running) await member.hears("back again");
    expect(cut.said.some((line) => line.startsWith("cut off"))).toBe(true);
    for (const { texts } of others) {
      const own = texts.filter((text) => text.startsWith("line "));
      expect(new Set(own).size).toBe(own.length);
      expect(own.slice(-100)).toEqual(lines.slice(-100));
    }
    expect((await groupInfo(pool, "n4", "cable")).members.length).toBe(3);
  });

  it("takes what comes in on standard input and is left at its end, when that is wanted", async () => {
    await join("n1", "input", "--create");
    const words = ["group", "join", "input", "--exit-at-eof"];
    const lines = ["first", "x".repeat(8193), "", "y".repeat(8192), "last without newline"];
    const command = ["lab", "exec", "n2", "--", "proteus", ...words];
    const { status, stdout, stderr } = await within(
      "its end",
      pool.lab.run(command, { cwd: "/", input: lines.join("\n") }),
    );
    const said = `line 2 was not sent\n  why:       it has 8193 bytes, the group's largest message 8192`;
    expect(stderr).toContain(said);
    expect({ status, stdout }).toEqual({ status: 1, stdout: `first\n\n${lines[3]}\n${lines[4]}\n` });
  });

  if (isLong)
    it("refuses a joiner with other parameters, one too many, and whoever is no member", async () => {
      await join("n1", "strict", "--create", "--resilience", "1", "--members", "2");
      for (const [words, code, why] of [
        [["--resilience", "0"], "GROUP_DIFFERS", "its resilience is 1, 0 was asked for"],
        [["--create", "--minimum", "2"], "GROUP_DIFFERS", "its minimum is 1, 2 was asked for"],
      ] as const) {
        const outcome = await within(
          "its end",
          pool.run("n3", "group", "join", "strict", "--json", ...words),
        );
        expect(outcome.status).toBe(1);
        expect(errorOf(outcome)).toMatchObject({ code, why });
      }
      await join("n2", "strict");
      const third = await within("its end", pool.run("n3", "group", "join", "strict", "--json"));
      expect(third.status).toBe(1);
      expect(errorOf(third).code).toBe("BC_TOOMANY");
      const info = await groupInfo(pool, "n4", "strict");
      expect(info.members.length).toBe(2);
      const long = await pool.run("n4", "group", "send", "strict", "x".repeat(8193), "--json");
      expect(long.status).toBe(2);
      expect(errorOf(long).code).toBe("BC_TOOBIG");
    });

  it("that does not exist is told from one that is empty, in time", async () => {
    for (const words of [
      ["join", "nobody"],
      ["info", "nobody"],
      ["send", "nobody", "hello"],
    ]) {
      const outcome = await within("its end", pool.run("n1", "group", ...words, "--json"));
      expect(outcome.status).toBe(3);
      expect(errorOf(outcome)).toMatchObject({
        code: "BC_NOEXIST",
        message: expect.stringContaining("nobody"),
      });
    }
    const list = await pool.run("n1", "group", "list", "--json");
    expect(JSON.parse(list.stdout)).toEqual({ schema: 1, groups: [] });
  });
});
