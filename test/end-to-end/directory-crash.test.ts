// A directory server that is killed at any of its system calls, alone or one of three; another program
// opens what it left: every name that was acknowledged is there, no update is there in part, and
// nothing is wrong with the store.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Capability, capabilityOf } from "../../control/capability/capability.js";
import { type CapabilitySet, setOf } from "../../control/capability/set.js";
import { kernelBytes } from "../../control/cli/package-files.js";
import { directoryTable } from "../../control/interface/directory.js";
import { ProteusError } from "../../control/kernel/errors.js";
import { serveHub } from "../../control/lab/hub.js";
import { parseTopology } from "../../control/lab/lab-file.js";
import { hubVariable } from "../../control/node/interfaces.js";
import { type RunningKernel, startKernel } from "../../control/node/start.js";
import { stub } from "../../control/stub/client.js";
import { Directories } from "../../control/stub/directories.js";
import { isLong, perTier } from "../simulation/seeds.js";
import { isWanted, killAtEach, traceCalls } from "./killed.js";

const member = fileURLToPath(new URL("directory-crash-member.mjs", import.meta.url));
const dist = fileURLToPath(new URL("../../dist", import.meta.url));
const kinds = ["pwrite64", "fdatasync", "fsync", "ftruncate", "rename", "mkdir"];
/** Of the first no member of a pool has many that it would not have alone. */
const kindsOfMember = ["pwrite64", "fdatasync"];
const names = ["a", "b", "c"];
const updatesEach = 12;

const program = (folder: string, ...what: string[]): string[] => [
  process.execPath,
  member,
  dist,
  folder,
  ...what,
];

const run = promisify(execFile);

/** The line of JSON that a program says last; rejects when it fails. */
async function said<Line>(folder: string, what: string): Promise<Line> {
  const [node = "", ...words] = program(folder, what);
  const { stdout } = await run(node, words, { timeout: 60_000 });
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Line;
}

type Names = Record<string, string | number>;
/** What somebody sees after an update; null: it is not there any more. */
type Change = Record<string, string | number | null>;

function after(before: Names, changes: readonly Change[]): Names {
  const all = Object.entries(Object.assign({}, before, ...changes) as Change);
  return Object.fromEntries(all.flatMap(([path, value]) => (value === null ? [] : [[path, value]])));
}

/** What may be there: with every acknowledged update, and any of those that were under way, whole. */
function possible(lines: readonly { readonly id?: number; readonly set?: Change }[]): Names[] {
  const sets = new Map(lines.flatMap(({ id, set }) => (set === undefined ? [] : [[id, set] as const])));
  const done = lines.flatMap(({ id, set }) => (set === undefined && id !== undefined ? [id] : []));
  const acknowledged = [...sets].flatMap(([id, set]) => (done.includes(id ?? 0) ? [set] : []));
  const open = [...sets].flatMap(([id, set]) => (done.includes(id ?? 0) ? [] : [set]));
  const certain = after({ "#": 1 }, acknowledged);
  return Array.from({ length: 2 ** open.length }, (_, some) =>
    after(
      certain,
      open.filter((_, index) => (some & (1 << index)) !== 0),
    ),
  );
}

describe.skipIf(!isWanted)("a directory server that is killed", () => {
  let parent: string;
  beforeAll(() => {
    parent = mkdtempSync(join(tmpdir(), "proteus-directory-crash-"));
  });
  afterAll(() => rmSync(parent, { recursive: true, force: true }));

  it("has every update that it acknowledged, and none in part", async () => {
    const folder = join(parent, "alone");
    const counts = { kills: 0, open: 0, unacknowledged: 0 };
    for (const calls of kinds)
      counts.kills += await killAtEach({
        calls,
        stride: perTier({ quick: 9, long: 2, nightly: 1 }),
        program: () => {
          rmSync(folder, { recursive: true, force: true });
          mkdirSync(folder, { recursive: true });
          return program(folder, "change");
        },
        judge: async (_, told) => {
          const lines = told
            .trim()
            .split("\n")
            .flatMap((line) => (line === "" ? [] : [JSON.parse(line) as object]));
          const { seen, wrong } = await said<{ seen: Names; wrong: string[] }>(folder, "look");
          expect(wrong).toEqual([]);
          const might = possible(lines);
          expect(might).toContainEqual(seen);
          if (might.length > 1) counts.open++;
          if (might.length > 1 && JSON.stringify(might[0]) !== JSON.stringify(seen)) counts.unacknowledged++;
        },
      });
    // It was hit in the middle of updates, and some were there already.
    expect(Math.min(counts.kills, counts.open)).toBeGreaterThan(2);
    if (isLong) expect(counts.unacknowledged).toBeGreaterThan(0);
  });

  it("acknowledges only what the medium has", async () => {
    const [trace, folder] = [join(parent, "trace"), join(parent, "traced")];
    mkdirSync(folder);
    const calls = "openat,write,pwrite64,pwritev,fdatasync,fsync";
    expect((await traceCalls(calls, trace, program(folder, "change"))).status).toBe(0);
    let unsynced = 0; // writes that are not on the medium
    let begun = 0; // writes, of all
    let opener = "none";
    const through = new Set<string>();
    /** By thread: the number of the write to a descriptor that writes through that it is in. */
    const under = new Map<string, number>();
    const ended = new Set<number>();
    /** Of updates that are not acknowledged: how many writes had begun before it was asked for. */
    const asked = new Map<string, number>();
    let acknowledged = 0;
    for (const line of readFileSync(trace, "utf8").split("\n")) {
      if (/ openat\(.*O_D?SYNC/.test(line)) opener = line.split(" ", 1)[0] ?? "";
      const opened = /(openat\(|openat resumed).* = (\d+)<[^>]*directory\.store>/.exec(line)?.[2];
      if (opened !== undefined && line.startsWith(`${opener} `)) through.add(opened);
      const written = / pwrite(64|v)\((\d+)<[^>]*directory\.store>/.exec(line)?.[2];
      const [thread = ""] = line.split(" ", 1);
      // A write to a descriptor that writes through is on the medium when it has ended.
      if (written !== undefined) {
        begun++;
        if (!through.has(written)) unsynced++;
        else if (line.includes("<unfinished")) under.set(thread, begun);
        else ended.add(begun);
      }
      if (/ pwrite(64|v) resumed/.test(line)) {
        const write = under.get(thread);
        if (write !== undefined && under.delete(thread)) ended.add(write);
      }
      if (/ f(data)?sync\(\d+<[^>]*directory\.store>\) += 0/.test(line)) {
        unsynced = 0;
        const open = new Set(under.values());
        for (let write = 1; write <= begun; write++) if (!open.has(write)) ended.add(write);
      }
      const said = / write\(1<[^>]*>, "\{\\"id\\":(\d+)(\})?/.exec(line);
      const [, id, isEnd] = said ?? [];
      if (id === undefined) continue;
      if (isEnd === undefined) {
        asked.set(id, begun);
        continue;
      }
      acknowledged++;
      const before = asked.get(id) ?? begun;
      asked.delete(id);
      expect(unsynced, line).toBe(0);
      // Its own write has begun since it was asked for, and ended; another's may be under way.
      expect(
        [...ended].some((write) => write > before),
        line,
      ).toBe(true);
      if (asked.size === 0) expect([...under.keys()], line).toEqual([]);
    }
    expect(acknowledged).toBeGreaterThan(10);
  });
});

/** What one of three has in its store. */
interface Stored {
  readonly stored: Readonly<Record<string, number>>;
  readonly wrong: readonly string[];
}

/** Updates one after the other, and what there is after each of them. */
class Updates {
  readonly #directories: Directories;
  readonly #isMember: () => Promise<boolean>;
  /** Names after so many updates, as text. */
  readonly states = ["{}"];
  /** The last that was acknowledged while the one that is killed was a member. */
  sure = 0;
  /** How many such there were since the last life of that one began. */
  met = 0;
  #names: Record<string, number> = {};
  #over = false;

  constructor(directories: Directories, isMember: () => Promise<boolean>) {
    this.#directories = directories;
    this.#isMember = isMember;
  }

  /** Adds, replaces, compares and swaps, and removes names, until `end`. */
  async run(met: () => void): Promise<void> {
    while (!this.#over) {
      const before = await this.#isMember();
      await this.#one();
      if (before && (await this.#isMember())) {
        this.sure = this.states.length - 1;
        this.met++;
        met();
      } else await pause(10);
    }
  }

  async #one(): Promise<void> {
    const value = this.states.length;
    const name = `n${value % 7}`;
    const former = this.#names[name];
    const { [name]: _, ...others } = this.#names;
    const isRemoval = former !== undefined && value % 3 === 0;
    const names = isRemoval ? others : { ...others, [name]: value };
    this.states.push(textOf(names)); // from now on it may be there
    if (isRemoval) await this.#directories.remove(`/${name}`);
    else if (former === undefined) await this.#directories.append(`/${name}`, thing(value));
    else
      await this.#directories.replace(`/${name}`, thing(value), value % 2 === 0 ? thing(former) : undefined);
    this.#names = names;
  }

  end(): void {
    this.#over = true;
  }
}

const pause = (milliseconds: number) => new Promise<void>((go) => setTimeout(go, milliseconds));
const textOf = (names: Readonly<Record<string, number>>): string =>
  JSON.stringify(Object.fromEntries(Object.entries(names).sort(([a], [b]) => (a < b ? -1 : 1))));

function thing(value: number): CapabilitySet {
  const bytes = new Uint8Array(10);
  new DataView(bytes.buffer).setUint32(4, value);
  return setOf({ port: Uint8Array.of(1, 2, 3, 4, 5, 6), private: bytes });
}

if (isLong)
  describe.skipIf(!isWanted)("one of three directory servers that is killed", () => {
    let parent = "";
    const socketOf = (node: string) => join(parent, `${node}.socket`);
    const wordsOf = (name: string): [string, ...string[]] => {
      const socket = `${hubVariable("eth0")}=${socketOf(name)}`;
      return ["env", socket, ...program(join(parent, name), "member", name, names.join())];
    };
    const others: ChildProcess[] = [];
    let client: RunningKernel | null = null;
    let root: Capability;

    beforeAll(async () => {
      parent = mkdtempSync(join(tmpdir(), "proteus-directories-crash-"));
      const nodes = [...names, "client"].map((name) => `  ${name}: { kind: pool, networks: [lan0] }`);
      const topology = parseTopology(`networks: { lan0: }\nnodes:\n${nodes.join("\n")}\n`, "test");
      await serveHub(topology, { interfaceSocket: socketOf, controlSocket: join(parent, "control") });
      for (const name of names.slice(1)) {
        const [command, ...words] = wordsOf(name);
        const child = spawn(command, words, { stdio: ["ignore", "pipe", "inherit"] });
        others.push(child);
        const [line] = (await once(child.stdout, "data")) as [Buffer];
        const told = JSON.parse(line.toString()) as { root: string };
        root = capabilityOf(Uint8Array.from(Buffer.from(told.root, "hex")));
      }
      process.env[hubVariable("eth0")] = socketOf("client");
      client = await startKernel({ wasm: kernelBytes(), interfaces: ["eth0"] });
    });
    afterAll(() => {
      client?.close();
      for (const each of others) each.kill("SIGKILL");
      rmSync(parent, { recursive: true, force: true });
    });

    it("has every update that was acknowledged while it was one of them", async () => {
      if (client === null) throw new Error("there is no client");
      const { kernel } = client;
      const isMember = async (): Promise<boolean> => {
        try {
          const { document } = await stub(kernel, directoryTable, root).members();
          const { members } = JSON.parse(document) as { members: { name: string; state: string }[] };
          return members.some(({ name, state }) => name === "a" && state === "serving");
        } catch (error) {
          if (error instanceof ProteusError) return false;
          throw error;
        }
      };
      const updates = new Updates(
        new Directories(kernel, setOf(root), { pause, patienceMs: 30_000 }),
        isMember,
      );
      let pid = 0;
      const changing = updates.run(() => {
        // It has met enough of them: whoever was not killed before leaves.
        if (updates.met < updatesEach || pid === 0) return;
        try {
          process.kill(pid, "SIGTERM");
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // it was killed just now
        }
        pid = 0;
      });
      const moments = { kills: 0, met: 0 };
      const killing = (async () => {
        for (const calls of kindsOfMember)
          moments.kills += await killAtEach({
            calls,
            stride: perTier({ quick: 5, long: 5, nightly: 1 }),
            program: () => {
              [updates.met, pid] = [0, 0];
              return wordsOf("a");
            },
            heard: (text) => {
              pid = (JSON.parse(text) as { pid: number }).pid;
            },
            judge: async () => {
              const { sure, states } = updates;
              const last = states.length - 1;
              if (updates.met > 0) moments.met++;
              const { stored, wrong } = await said<Stored>(join(parent, "a"), "stored");
              expect(wrong).toEqual([]);
              // It is as after one of the updates: none earlier than what it was there for.
              expect(states.slice(sure, last + 1)).toContain(textOf(stored));
            },
          });
        updates.end();
      })();
      await Promise.all([killing, changing]);
      expect(Math.min(moments.kills, moments.met)).toBeGreaterThan(2);
      // Whoever was never killed has everything.
      for (const each of others) {
        each.kill("SIGTERM");
        await once(each, "close");
      }
      for (const name of names.slice(1)) {
        const { stored, wrong } = await said<Stored>(join(parent, name), "stored");
        expect([wrong, textOf(stored)]).toEqual([[], updates.states.at(-1)]);
      }
    });
  });
