// If one of these fails, a user sees a bare number or a stack where words are due.

import { describe, expect, it } from "vitest";
import { errorText, fail } from "../../../control/cli/output.js";
import { ProteusError, statusError, statusName } from "../../../control/kernel/errors.js";
import * as status from "../../../core-wasm/status.js";
import { listen } from "./command.js";

const failures = Object.entries(status).filter(([, value]) => value < 0);

describe("an error", () => {
  it.each(failures)("for %s has a code, a reason and an exit code", (name, value) => {
    const error = statusError(value, "the call to port abcdef");
    expect(statusName(value)).toBe(name);
    expect(error.code).toBe(name);
    expect(error.message).toBe("the call to port abcdef failed");
    expect(error.why).toMatch(/\w/);
    expect(error.exit).toBeGreaterThan(0);
  });

  it("for a status that nobody knows still says which it was", () => {
    expect(statusError(-4711, "the call")).toMatchObject({ code: "STATUS_-4711", exit: 1 });
  });

  it("has at most four lines, in the order of the reader's questions", () => {
    const text = errorText(
      new ProteusError({
        code: "X",
        exit: 1,
        message: "it failed",
        why: "because",
        unchanged: "all",
        hint: "wait",
      }),
    );
    expect(text.split("\n").map((line) => line.trim().split(":")[0])).toEqual([
      "proteus",
      "why",
      "unchanged",
      "next",
    ]);
  });

  it("of a driver keeps its hint and gets the right exit code", async () => {
    let exit = 0;
    const { stderr } = await listen(async () => {
      exit = fail(Object.assign(new Error("no"), { code: "ETHERNET_NO_PERMISSION", hint: "grant it" }));
    });
    expect(exit).toBe(4);
    expect(stderr).toContain("grant it");
  });

  it("that is a bug shows where it happened", async () => {
    const { stderr } = await listen(async () => fail(new TypeError("oops")));
    expect(stderr).toMatch(/oops[\s\S]*at /);
  });
});
