// What is known of a cell as answers come and stay away. If one of these fails, a folder of a mounted cell
// changes what it is, or a volume is lost from sight because its server is away.

import { describe, expect, it } from "vitest";
import { type Cell, knownWith, volumesOf } from "../../../control/stub/cells.js";

const volume = (name: string, server: string) => ({ name, capability: `${server}${"0".repeat(20)}` });
const [one, two] = ["111111111111", "222222222222"];

describe("a cell that is known", () => {
  const known: Cell = {
    name: "math",
    servers: [
      { server: two, volumes: [volume("home", two)] },
      { server: one, volumes: [volume("notes", one)] },
    ],
  };

  it("keeps servers that do not answer, takes what others say now, and new ones behind them", () => {
    const three = { server: "333333333333", volumes: [volume("home", "333333333333")] };
    const found = { name: "math", servers: [{ server: one, volumes: [] }, three] };
    expect(knownWith(known, found).servers).toEqual([known.servers[0], { server: one, volumes: [] }, three]);
    expect(knownWith(undefined, found)).toEqual(found);
  });

  it("leaves a name to the server that had it first", () => {
    const found = { name: "math", servers: [{ server: one, volumes: [volume("home", one)] }] };
    expect(volumesOf(knownWith(known, found)).map(({ folder, server }) => [folder, server])).toEqual([
      ["home", two],
      [`home@${one}`, one],
    ]);
  });
});
