// What someone at a shell types wrong: each mistake has its own message that says what to do, and
// exit code 2. If one of these fails, a user guesses what was wrong.

import { describe, expect, it } from "vitest";
import { proteus } from "./command.js";

const port = "e4b2c2985455";

describe("a mistake on the command line", () => {
  it.each([
    [["call", "--port", "toolong"], 2, '"toolong" is not a port'],
    [["call", "--port", ""], 2, "a port is missing"],
    [["call"], 2, "required option '--port <port>' not specified"],
    [["call", "--port", port, "--size", "1403x"], 2, '"1403x" is not a size'],
    [["call", "--port", port, "--size", "9M"], 2, "a size is 0 to 8388608 bytes"],
    [["call", "--port", port, "--size", "-1"], 2, '"-1" is not a size'],
    [["call", "--port", port, "--count", "0"], 2, '"0" is not a count'],
    [["call", "--port", port, "--count", "1.5"], 2, "a count is a whole number"],
    [["call", "--port", port, "--count", "999999999999"], 2, "from 1 to 10000000"],
    [["call", "--port", port, "--timeout", "soon"], 2, "a duration is like 500ms, 5s or 2m"],
    [["call", "--port", port, "--locate-timeout", "0"], 2, '"0" is not a duration'],
    [["call", "--port", port, "--dead", "2 weeks"], 2, '"2 weeks" is not a duration'],
    [["call", "--port", port, "--sink", "--reverse"], 2, "--sink and --reverse exclude each other"],
    [["call", "--port", port, "again"], 2, "too many arguments"],
    [["call", "--port", port, "--sizes", "1"], 2, "Did you mean --size?"],
    [["serve", "echo", "--port", "seven77"], 2, '"seven77" is not a port'],
    [["serve", "echo", "--port", "abc", "--threads", "many"], 2, '"many" is not a count'],
    [["serve", "echo", "--port", "abc", "--threads", "65"], 2, "from 1 to 64"],
    [["serve"], 2, "a subcommand is missing"],
    [["serve", "ecko"], 2, "Did you mean echo?"],
    [["node", "status", "--port", port, "--timeout", "1y"], 2, '"1y" is not a duration'],
    [["metrix"], 2, "Did you mean metrics?"],
    [["port", "publik"], 2, "Did you mean public?"],
  ])("%j ends with %d and says: %s", async (words, status, message) => {
    const outcome = await proteus(...words);
    expect(outcome.stderr).toContain(message);
    const error = outcome.stderr.slice(outcome.stderr.indexOf("proteus: ")); // behind a help text, if any
    expect(error.trimEnd().split("\n").length).toBeLessThanOrEqual(4);
    expect(outcome).toMatchObject({ exit: status, stdout: "" });
  });
});
