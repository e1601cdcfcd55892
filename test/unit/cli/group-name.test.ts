// If one of these fails, two programs that mean the same group meet in different ones, or a
// mistake in an option is only noticed when the group is there.

import { describe, expect, it } from "vitest";
import { groupPort, parseParameters } from "../../../control/cli/group-name.js";
import { toHex } from "../../../control/kernel/bytes.js";
import { proteus } from "./command.js";

describe("a group's name", () => {
  it.each([
    ["a", "610000000000"],
    ["chat12", "636861743132"],
    ["0f8905c8feff", "0f8905c8feff"],
    // printf %s NAME | sha256sum | cut -c -12
    ["longername", "91fcdad2f4c0"],
    ["nöpe", "6ec3b6706500"],
    ["nöpeee", "17b35bf1bb25"],
  ])("%s is port %s", (name, port) => {
    expect(toHex(groupPort(name))).toBe(port);
  });

  it.each([[""], ["a\nb"], ["x".repeat(256)]])("%j is none", (name) => {
    expect(() => groupPort(name)).toThrow(expect.objectContaining({ code: "GROUP_NAME_INVALID", exit: 2 }));
  });
});

describe("the parameters of a group", () => {
  it("have few members when its history is short", () => {
    expect(parseParameters({}).membersMax).toBe(16);
    expect(parseParameters({ history: "4" })).toMatchObject({ logHistory: 4, membersMax: 6 });
  });
});

describe("a mistake", () => {
  it.each([
    [["--resilience", "32"], "RESILIENCE_INVALID", "from 0 to 31"],
    [["--resilience", "-1"], "RESILIENCE_INVALID", "from 0 to 31"],
    [["--history", "3"], "HISTORY_INVALID", "from 4 to 14"],
    [["--history", "4", "--members", "7"], "HISTORY_INVALID", "too short for 7 members"],
    [["--members", "65"], "MEMBERS_INVALID", "from 2 to 64"],
    [["--minimum", "0"], "MINIMUM_INVALID", "from 1 to 64"],
    [["--minimum", "17"], "MINIMUM_INVALID", "at most 16 members never has 17"],
    [["--detect", "1s"], "DETECT_INVALID", "from 50 to 60000"],
  ])("%j is a usage error with code %s", async (words, code, hint) => {
    const { stdout, stderr, exit } = await proteus("group", "join", "chat", "--create", "--json", ...words);
    expect({ stdout, exit }).toEqual({ stdout: "", exit: 2 });
    const { error } = JSON.parse(stderr);
    expect(error.code).toBe(code);
    expect(`${error.message} ${error.hint}`).toContain(hint);
  });

  it("in the name is said before anything is opened", async () => {
    for (const words of [["join"], ["info"], ["send"]]) {
      const text = words[0] === "send" ? ["hello"] : [];
      const { stderr, exit } = await proteus("group", ...words, "000000000000", ...text, "--json");
      expect(exit).toBe(2);
      expect(JSON.parse(stderr).error.code).toBe("BC_BADPORT");
    }
  });
});
