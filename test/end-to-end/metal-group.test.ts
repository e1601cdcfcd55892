// A machine without an operating system as a member of a group that Linux machines are in: a real one in
// QEMU, on the network of a lab. One order at all of them, whoever loses its power.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { GroupProgram, groupInfo } from "./groups.js";
import { isRoot, Programs, until } from "./programs.js";

const file = `networks: { lan0: }
nodes:
  n1: { kind: pool, networks: [lan0] }
  n2: { kind: pool, networks: [lan0] }
  m1: { kind: metal, networks: [lan0], groups: [chat] }
`;

describe.runIf(isRoot)("a group of a metal machine and two Linux machines", () => {
  const pool = new Programs();
  afterAll(() => pool.close());
  const monitor = async (line: string): Promise<string> =>
    (await pool.lab.must(["console", "m1"], { input: `${line}\n` })).stdout;
  const said = (): string => readFileSync(join(pool.folderOf("m1"), "agent.log"), "utf8");
  const saysOn = (what: RegExp): Promise<true> =>
    until(`m1 to say ${what}`, () => (what.test(said()) ? true : undefined), 20_000);
  /** Texts of the last messages in the machine's order, once it has this one. */
  const heardThere = (last: string): Promise<string[]> =>
    until(`m1 to hear "${last}"`, async () => {
      const rows = (await monitor("messages")).matchAll(/^\d+ {2}\d+ {2}data {2}(.*?)\r?$/gm);
      const texts = [...rows].map(([, text]) => text ?? "");
      return texts.includes(last) ? texts : undefined;
    });

  it("has one order, whoever sends and whichever of the machines is killed", async () => {
    const path = join(pool.lab.folder, "group.yaml");
    writeFileSync(path, file);
    await pool.up(path);
    await saysOn(/group chat: created, as member 0 of 0/);
    const one = await new GroupProgram(pool, "n1", ["chat"]).joined();
    const two = await new GroupProgram(pool, "n2", ["chat"]).joined();
    const info = await groupInfo(pool, "n1", "chat");
    expect(info).toMatchObject({ name: "chat", state: "normal", sequencer: 0, answeredBy: 0, resilience: 0 });
    expect(info.members.map(({ id, state }) => ({ id, state }))).toEqual(
      [0, 1, 2].map((id) => ({ id, state: "member" })),
    );

    one.send(..."abcdefgh");
    two.send(..."stuvwxyz");
    await monitor("send of the metal");
    await pool.lab.must(["lab", "exec", "n2", "--", "proteus", "group", "send", "chat", "of nobody"]);
    one.send("last");
    for (const each of [one, two]) await each.hears("last");
    const order = await heardThere("last");
    expect([...order].sort()).toEqual([..."abcdefghstuvwxyz", "last", "of nobody", "of the metal"].sort());
    expect(two.texts).toEqual(order);
    expect(one.texts).toEqual(order);

    await pool.lab.must(["lab", "kill", "m1"]); // the sequencer
    one.send("without m1");
    await two.hears("without m1");
    await pool.lab.must(["lab", "start", "m1"]);
    await saysOn(/group chat: joined, as member 0 of 0,1,2/);
    one.send("with m1");
    expect(await heardThere("with m1")).toEqual(["with m1"]);

    await pool.lab.must(["lab", "kill", "n1"]);
    await saysOn(/group chat: reset, here as member 0 of 0,2/);
    await monitor("send go on");
    await two.hears("go on");
    two.send("it does");
    expect(await heardThere("it does")).toEqual(["with m1", "go on", "it does"]);
    expect(two.texts).toEqual([...order, "without m1", "with m1", "go on", "it does"]);
    // Whichever of the two begins the reset becomes the sequencer: both say the same of it.
    const { sequencer } = await groupInfo(pool, "n2", "chat");
    expect([0, 2]).toContain(sequencer);
    const row = new RegExp(
      `^chat {2}636861740000 {2}normal {2}0 {2}${sequencer} {2}\\d+ {2}\\d+ {2}0,2\\r?$`,
      "m",
    );
    expect(await monitor("groups")).toMatch(row);
    expect(await two.stop()).toMatchObject({ status: 0 });
  });
});
