// Words of the command line that name cells. If one of these fails, a capability is taken for a cell, or a
// mistake is answered by something that is done.

import { describe, expect, it } from "vitest";
import { cacheOf, isCellWord } from "../../../control/cli/fs/which.js";
import { proteus } from "./command.js";

describe("the word behind fs mount", () => {
  it("is a cell when it is a name alone", () => {
    for (const word of ["math", "n1", "a.b-c_d", "0f", "x".repeat(64)])
      expect([word, isCellWord(word)]).toEqual([word, true]);
    const others = ["@file", "n1:vice", "/path", "17(FF)/1:2:3:4:5:6", "0f95cd27023c", "", "..", ".x", "-x"];
    for (const word of [...others, "0f95cd27023c010000ff2555e80bd489", "x".repeat(65)])
      expect([word, isCellWord(word)]).toEqual([word, false]);
  });

  it("has the same cache whatever the rights of a volume's capability", () => {
    const [all, read] = ["0f95cd27023c010000ff2555e80bd489", "0f95cd27023c010000010123456789ab"];
    expect(cacheOf("home", read)).toBe(cacheOf("home", all));
    expect(cacheOf("home", all, "/c")).toBe("/c/home-0f95cd27023c010000");
    expect(cacheOf("home", "0f95cd27023c020000ff2555e80bd489")).not.toBe(cacheOf("home", all));
  });

  it("is refused before anything is done when it makes no sense", async () => {
    for (const words of [
      ["fs", "mount", "math"],
      ["fs", "mount", "--all", "math", "/mnt"],
      ["fs", "mount", "--all", "/mnt", "--volume", "home"],
      ["fs", "mount", "--all", "/mnt", "--mode", "half"],
      ["fs", "mount", "--all", "/mnt", "--cache-size", "much"],
      ["fs", "join", "../math"],
      ["fs", "leave", ".."],
      ["fs", "volume", "share", "0f95cd27023c010000ff2555e80bd489", "--rights", "destroy"],
      ["serve", "vice", "--state", "/nowhere/at/all", "--cell", "a/b"],
    ])
      expect([words, (await proteus(...words)).exit]).toEqual([words, 2]);
  });
});
