// A program that is killed while it makes the secrets of a server, or renews them: they are there
// whole or not at all, what was said to be made is there, and a later start goes on with it.
//
// - strace kills it at the Nth call of each kind that writes, syncs, links, renames or removes, for
//   every N until a run comes to its end.

import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseSecrets } from "../../control/capability/secrets.js";
import { toHex } from "../../control/kernel/bytes.js";
import { openSecrets } from "../../control/node/secrets.js";
import { perTier } from "../simulation/seeds.js";
import { isWanted, killAtEach, traceCalls } from "./killed.js";

const built = fileURLToPath(new URL("../../dist/control/node/secrets.js", import.meta.url));
const calls = "write,fsync,link,rename,unlink,mkdir";

const writer = `
import { randomBytes } from "node:crypto";
import { writeSync } from "node:fs";
import { openSecrets } from ${JSON.stringify(built)};
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const secrets = openSecrets(process.argv[1], "bullet", randomBytes);
writeSync(1, "made " + hex(secrets.getPort) + "\\n");
writeSync(1, "renewed " + hex(secrets.own.renew()) + "\\n");
`;

describe.skipIf(!isWanted)("secrets whose program is killed", () => {
  let parent: string;
  beforeAll(() => {
    parent = mkdtempSync(join(tmpdir(), "proteus-secrets-crash-"));
  });
  afterAll(() => rmSync(parent, { recursive: true, force: true }));

  const program = (folder: string): string[] => [
    process.execPath,
    "--input-type=module",
    "-e",
    writer,
    folder,
  ];
  /** Every file that stands there is whole, for its owner alone, and what was said is in it. */
  function judge(folder: string, said: string): void {
    const made = /^made (\w+)$/m.exec(said)?.[1];
    const renewed = /^renewed (\w+)$/m.exec(said)?.[1];
    let names: string[] = [];
    try {
      names = readdirSync(folder);
    } catch {
      expect(made).toBeUndefined();
    }
    for (const name of names) expect(statSync(join(folder, name)).mode & 0o777, name).toBe(0o600);
    if (names.includes("bullet.secret"))
      expect(parseSecrets(readFileSync(join(folder, "bullet.secret"), "utf8"))).toBeDefined();
    else expect(made).toBeUndefined();
    const after = openSecrets(folder, "bullet", randomBytes);
    if (made !== undefined) expect(toHex(after.getPort)).toBe(made);
    if (renewed !== undefined) expect(toHex(after.own.generation)).toBe(renewed);
    expect(readdirSync(folder)).toEqual(["bullet.secret"]);
  }

  it("has them whole or not at all, whenever that is", async () => {
    const moments = { before: 0, made: 0 };
    for (const call of perTier({ quick: "fsync,link,rename", long: calls, nightly: calls }).split(","))
      await killAtEach({
        calls: call,
        program: (step) => program(join(parent, `${call}-${step}`)),
        judge: (step, said, isThrough) => {
          if (!isThrough) moments[said.includes("made ") ? "made" : "before"]++;
          judge(join(parent, `${call}-${step}`), said);
        },
      });
    expect(Math.min(moments.before, moments.made)).toBeGreaterThan(1);
  });

  it("says that they are made, or renewed, only when the medium has file and name", async () => {
    const trace = join(parent, "trace");
    expect((await traceCalls(calls, trace, program(join(parent, "sync")))).status).toBe(0);
    let unsynced = 0;
    let acknowledgements = 0;
    for (const line of readFileSync(trace, "utf8").split("\n")) {
      if (/ (write|pwrite64|writev)\(\d+<[^>]*\/sync\//.test(line)) unsynced++;
      if (/ f(data)?sync\(\d+<[^>]*\.new\.\d+>/.test(line)) unsynced--;
      if (/ (link|linkat|rename)\(/.test(line) && line.includes("/sync/")) {
        expect(unsynced, line).toBe(0); // never a name for what may be half there
        unsynced++;
      }
      if (/ f(data)?sync\(\d+<[^>]*\/sync>/.test(line)) unsynced = 0;
      if (!/ write\(1<[^>]*>, "(made|renewed) /.test(line)) continue;
      acknowledgements++;
      expect(unsynced, line).toBe(0);
    }
    expect(acknowledgements).toBe(2);
  });
});
