// A tool that is missing is named, with what to install; one that fails keeps its words.

import { describe, expect, it } from "vitest";
import { runTool, toolMissing } from "../../../control/lab/tools.js";

describe("a tool of the system", () => {
  it("gives its status and its words, and reads its input to the end", async () => {
    const result = await runTool(["sh", "-c", "cat; echo trouble >&2; exit 3"], "input");
    expect(result).toEqual({ status: 3, output: "input", errors: "trouble\n" });
  });

  it("that ends before it has read its input is no failure of ours", async () => {
    expect((await runTool(["true"], "x".repeat(1_000_000))).status).toBe(0);
  });

  it("that is missing is named, with the package that has it", async () => {
    await expect(runTool(["no-such-tool"])).rejects.toMatchObject({
      code: "TOOL_MISSING",
      message: 'the command "no-such-tool" is not installed',
    });
    expect(toolMissing("tc").hint).toContain("apt-get install iproute2");
    expect(toolMissing("nsenter").hint).toContain("apt-get install util-linux");
  });

  it("is not started any more after an abort", async () => {
    await expect(async () => runTool(["true"], "", AbortSignal.abort())).rejects.toThrow();
  });
});
