// Commands for machines behind ssh, with a program in ssh's place. If one of these fails, a word
// reaches the shell there as something else, or nobody learns what was wrong.

import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { quoted, Remote } from "../../../control/machine/ssh.js";

const folder = mkdtempSync(join(tmpdir(), "ssh-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** In ssh's place: runs the command here, as sshd would with the user's shell. */
const here = join(folder, "here");
writeFileSync(here, '#!/bin/sh\nwhile [ "$1" != h1 ]; do shift; done\nshift\nexec sh -c "$*"\n');
/** In the place of Proteus there. */
const there = join(folder, "proteus");
writeFileSync(there, `#!/bin/sh\necho '{"version":"1.0.0","kernel":"ab"}'\n`);
for (const path of [here, there]) chmodSync(path, 0o755);

const remote = (environment: NodeJS.ProcessEnv) =>
  new Remote("h1", { PROTEUS_SSH: here, PROTEUS_REMOTE: there, ...environment });
/** A program in ssh's place that ends like this. */
const ending = (status: number, words: string): Remote =>
  remote({ PROTEUS_SSH: `sh -c 'echo "${words}" >&2; exit ${status}'` });

describe("a word for the shell there", () => {
  it("arrives as it is", () => {
    const word = fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\0"));
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), (words) => {
        const [tool = "", ...rest] = remote({}).command(["printf", "%s\\n", ...words]);
        const { stdout } = spawnSync(tool, rest, { encoding: "utf8" });
        expect(stdout).toBe(words.map((each) => `${each}\n`).join(""));
      }),
      { numRuns: 30 },
    );
  });

  it("stays bare when it is plain", () => {
    expect(["taskset", "--cpu-list", "0", "a b", "", "it's"].map(quoted)).toEqual([
      ...["taskset", "--cpu-list", "0", "'a b'", "''", "'it'\\''s'"],
    ]);
  });
});

describe("a machine behind ssh", () => {
  const own = { version: "1.0.0", kernel: "ab" };

  it("is asked by ssh without questions, unless something else is said", () => {
    const command = new Remote("root@h1", {}).program(["version"], ["taskset", "--cpu-list", "1"]);
    expect(command.slice(0, 3)).toEqual(["ssh", "-o", "BatchMode=yes"]);
    expect(command.slice(-2)).toEqual([
      ...["root@h1", "exec taskset --cpu-list 1 /opt/proteus/bin/proteus version"],
    ]);
  });

  it("has the same version, and says which tools it has", async () => {
    const facts = await remote({}).probe(own);
    expect(facts).toMatchObject(own);
    expect(facts.tools).toEqual(expect.arrayContaining(["setpriv"]));
  });

  it.each([
    ["another version", { version: "1.0.1", kernel: "ab" }, "there 1.0.0, kernel ab; here 1.0.1, kernel ab"],
    ["another kernel", { version: "1.0.0", kernel: "cd" }, "there 1.0.0, kernel ab; here 1.0.0, kernel cd"],
  ])("is refused with %s", async (_, wanted, why) => {
    await expect(remote({}).probe(wanted)).rejects.toMatchObject({ code: "REMOTE_VERSION", exit: 1, why });
  });

  it("that says no version is refused", async () => {
    await expect(remote({ PROTEUS_REMOTE: "echo" }).probe(own)).rejects.toMatchObject({
      code: "REMOTE_VERSION",
    });
  });

  it("may need sudo there", async () => {
    expect(await remote({ PROTEUS_REMOTE: `env X=1 ${there}` }).probe(own)).toMatchObject(own);
  });

  it.each([
    ["REMOTE_DENIED", 4, ending(255, "root@h1: Permission denied (publickey).")],
    ["REMOTE_DENIED", 4, ending(255, "Host key verification failed.")],
    ["REMOTE_UNREACHABLE", 5, ending(255, "ssh: connect to host h1 port 22: Connection refused")],
    ["REMOTE_UNREACHABLE", 5, ending(255, "ssh: Could not resolve hostname h1: Name or service not known")],
    ["REMOTE_MISSING", 3, remote({ PROTEUS_REMOTE: "/nonexistent/proteus" })],
    ["REMOTE_NO_SSH", 2, remote({ PROTEUS_SSH: "/nonexistent/ssh" })],
    ["REMOTE_FAILED", 1, ending(1, "sudo: a password is required")],
  ])("that cannot be asked is an error: %s, exit %i", async (code, exit, machine) => {
    await expect(machine.probe(own)).rejects.toMatchObject({
      ...{
        code,
        exit,
        why: expect.stringMatching(/./),
        message: expect.stringContaining(code === "REMOTE_NO_SSH" ? "SSH" : "h1"),
      },
    });
  });

  it("hands on what Proteus there says of its error", async () => {
    const text =
      "proteus: it cannot be read\n  why:       it is not there\n  unchanged: all\n  next:      make it";
    const script = join(folder, "failing");
    writeFileSync(script, `#!/bin/sh\ncat >&2 <<'END'\n${text}\nEND\nexit 3\n`);
    chmodSync(script, 0o755);
    await expect(remote({ PROTEUS_REMOTE: script }).ask(["metrics"])).rejects.toMatchObject({
      ...{ code: "REMOTE_FAILED", exit: 3, message: "proteus metrics failed on ssh:h1" },
      ...{ why: "it cannot be read: it is not there", unchanged: "all", hint: "make it" },
    });
  });

  it("that does not answer is given up", async () => {
    await expect(remote({ PROTEUS_REMOTE: "sleep 30;" }).ask(["metrics"], 200)).rejects.toMatchObject({
      ...{ code: "REMOTE_UNREACHABLE", why: "no answer in 0.2 s" },
    });
  });
});
