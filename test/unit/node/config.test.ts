// If one of these fails, a machine starts with settings that its administrator did not mean,
// or he is not told which line to mend.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ProteusError } from "../../../control/kernel/errors.js";
import { readDocument } from "../../../control/node/config/document.js";
import { isLocal, parseListen } from "../../../control/node/config/listen.js";
import { type LoadOptions, loadConfig, originText } from "../../../control/node/config/load.js";
import { settingKeys, settings } from "../../../control/node/config/settings.js";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "config-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let made = 0;
/** A folder of its own with these files. */
function files(contents: Readonly<Record<string, string>>): string {
  const own = join(folder, String(made++));
  mkdirSync(join(own, "proteus"), { recursive: true });
  for (const [name, text] of Object.entries(contents)) writeFileSync(join(own, name), text);
  return own;
}

/** Loads without anything of this computer. */
const load = (options: LoadOptions & { home?: string; system?: string } = {}) =>
  loadConfig({
    systemFolder: options.system ?? join(folder, "none"),
    ...options,
    environment: {
      XDG_CONFIG_HOME: options.home ?? join(folder, "none"),
      XDG_CONFIG_DIRS: join(folder, "none"),
      ...options.environment,
    },
  });

function failure(work: () => unknown): ProteusError {
  try {
    work();
  } catch (error) {
    if (error instanceof ProteusError) return error;
    throw error;
  }
  throw new Error("it should have failed");
}

const sameFile: Readonly<Record<string, string>> = {
  toml: '[node]\nname = "n1"\ninterfaces = ["eth0", "eth1"]\n\n[log]\nlevel = "debug"\n',
  yaml: "node:\n  name: n1\n  interfaces: [eth0, eth1]\n\nlog:\n  level: debug\n",
  json: '{\n  "node": {\n    "name": "n1", "interfaces": ["eth0", "eth1"] },\n\n  "log": {\n    "level": "debug" } }\n',
};

describe("a config file", () => {
  it.each(Object.entries(sameFile))("says the same as %s, with the lines", (ending, text) => {
    const leaves = readDocument(`c.${ending}`, text);
    expect(leaves.map(({ path, value }) => [path.join("."), value])).toEqual([
      ["node.name", "n1"],
      ["node.interfaces", ["eth0", "eth1"]],
      ["log.level", "debug"],
    ]);
    const lines = text.split("\n");
    for (const { path, line } of leaves) expect(lines[line - 1]).toContain(path.at(-1));
  });

  it("may write a key of TOML in every way that TOML has", () => {
    const texts = ['node.name = "a"', 'node = { name = "a" }', '[node]\n"name" = "a"', "[node]\nname = 'a'"];
    for (const text of texts)
      expect(readDocument("c.toml", text)).toMatchObject([{ path: ["node", "name"], value: "a" }]);
  });

  it.each([
    ["c.toml", "[node]\nname =\n", /c\.toml:2 cannot be read/],
    ["c.toml", "[node]\nname = \na = 1\n", /c\.toml:2 cannot be read/],
    ["c.toml", "[node]\n!\n", /c\.toml:2 cannot be read/],
    ["c.toml", 'a = "x"\na = "y"\n', /c\.toml:2 cannot be read/],
    ["c.yaml", "node:\n  name: [a\n", /c\.yaml:\d cannot be read/],
    ["c.yaml", "node:\n  name: a\n  name: b\n", /c\.yaml:3 cannot be read/],
    ["c.yaml", "- a\n", /c\.yaml:1 cannot be read/],
    ["c.json", '{\n "a": 1,\n}', /c\.json:3 cannot be read/],
    ["c.json", "a: 1", /c\.json(:1)? cannot be read/],
    ["c.json", '{ "a":\n', /c\.json:2 cannot be read/],
    ["c.json", '{"a": {"b": 1,\n "b": 2}}', /c\.json:2 cannot be read/],
  ])("%s with %j is refused with its line", (path, text, message) => {
    const error = failure(() => readDocument(path, text));
    expect(error).toMatchObject({ code: "CONFIG_SYNTAX", exit: 2 });
    expect(error.message).toMatch(message);
    expect(error.why).toMatch(/\w/);
  });

  it("ends also when an alias contains itself, or grows without bounds", () => {
    expect(readDocument("c.yaml", "a: &x\n  b: *x\n").length).toBeLessThan(10);
    const bomb = Array.from(
      { length: 12 },
      (_, i) => `a${i}: &a${i} [${i === 0 ? "x" : Array(10).fill(`*a${i - 1}`)}]`,
    );
    expect(failure(() => readDocument("c.yaml", bomb.join("\n")))).toMatchObject({ code: "CONFIG_SYNTAX" });
  });

  it("of any text is read or refused, and never a bug", () => {
    const pieces = fc.constantFrom(
      "[node]",
      "node:",
      "{",
      "}",
      '"',
      "name",
      "=",
      ": ",
      "\n",
      " ",
      "[",
      "]",
      "&a",
      "*a",
      "#",
      "1",
      ",",
    );
    fc.assert(
      fc.property(
        fc.constantFrom("toml", "yaml", "json"),
        fc.array(pieces, { maxLength: 30 }),
        (ending, parts) => {
          try {
            readDocument(`c.${ending}`, parts.join(""));
          } catch (error) {
            expect(error).toBeInstanceOf(ProteusError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("the configuration", () => {
  it("without anything is the defaults, all of which the schemas accept", () => {
    const { values, origins, files: read } = load();
    expect(read).toEqual([]);
    for (const key of settingKeys) {
      expect(origins[key]).toEqual({ kind: "default" });
      if (key !== "node.name") expect(settings[key].schema.safeParse(values[key]).success).toBe(true);
    }
  });

  it("takes flag over variable over the user's file over the machine's over the default", () => {
    const home = files({ "proteus/config.yaml": "log: { level: warn, format: json }\n" });
    const system = files({
      "config.toml": '[log]\nlevel = "error"\nformat = "pretty"\n[node]\nmemory = "64M"\n',
    });
    const all = load({
      home,
      system,
      environment: { PROTEUS_LOG_LEVEL: "debug", PROTEUS_NODE: "from-variable", PROTEUS_POOL_ANNOUNCE: "no" },
      flags: { "node.name": "from-flag" },
    });
    expect(all.values).toMatchObject({
      "node.name": "from-flag",
      "log.level": "debug",
      "log.format": "json",
      "node.memory": 64 * 1024 * 1024,
      "metrics.public": false,
      "pool.name": "pool",
      "pool.announce": false,
    });
    expect(settingKeys.map((key) => originText(all.origins[key]))).toEqual([
      "--name",
      "default",
      `${system}/config.toml:5`,
      "default",
      "default",
      "default",
      ...Array.from({ length: 4 }, () => "default"), // of the Bullet server
      "default", // of the disk server
      "default",
      "PROTEUS_POOL_ANNOUNCE",
      "default",
      ...Array.from({ length: 8 }, () => "default"), // of the replication server
      "PROTEUS_LOG_LEVEL",
      `${home}/proteus/config.yaml:1`,
      "default",
      "default",
      ...Array.from({ length: 7 }, () => "default"), // of the control daemon
    ]);
    expect(all.files).toEqual([join(home, "proteus/config.yaml"), join(system, "config.toml")]);
  });

  it("reads only the file that is named, or none", () => {
    const home = files({
      "proteus/config.yaml": "log: { level: warn }\n",
      "other.toml": 'log.format = "json"\n',
    });
    const file = join(home, "other.toml");
    for (const options of [{ file }, { environment: { PROTEUS_CONFIG: file } }])
      expect(load({ home, ...options }).values).toMatchObject({ "log.level": "info", "log.format": "json" });
    expect(load({ home, file: "none" }).files).toEqual([]);
    expect(failure(() => load({ file: "/no/such.toml" }))).toMatchObject({
      code: "CONFIG_UNREADABLE",
      exit: 3,
    });
  });

  it("refuses two files in one folder instead of choosing", () => {
    const home = files({ "proteus/config.yaml": "", "proteus/config.json": "{}" });
    expect(failure(() => load({ home }))).toMatchObject({ code: "CONFIG_AMBIGUOUS", exit: 2 });
  });

  it.each([
    ["a key that is none", "[node]\nname = 'a'\nnmae = 'b'\n", ':3: "node.nmae" is no setting', "node.name"],
    [
      "a section that is none",
      "[nodes]\nname = 'b'\n",
      ':2: "nodes.name" is no setting',
      "node, bullet, disk, pool, directory, replication, log, metrics, control",
    ],
    [
      "an empty section that is none",
      "[nodes]\n",
      ':1: "nodes" is no setting',
      "node, bullet, disk, pool, directory, replication, log, metrics, control",
    ],
    ["a section that is a value", "node = 3\n", ':1: "node" is no setting', "node.name"],
    ["a list of sections", "[[node]]\nname = 'a'\n", ':2: "node.0.name" is no setting', "node.name"],
    ["a level that is none", "\nlog.level = 'loud'\n", ':2: log.level cannot be "loud"', "one of trace"],
    ["a number for a name", "node.name = 7\n", ":1: node.name cannot be 7", "quotes"],
    ["too little memory", "node.memory = '1M'\n", ':1: node.memory cannot be "1M"', "32M to 2G"],
    ["a store that is none", "control.store = 'redis://a:1'\n", ":1: control.store cannot be", "etcd://"],
    ["a daemon at a socket only", "control.listen = 'unix:/x'\n", ":1: control.listen cannot be", "port"],
    ["a socket without a folder", "control.socket = 'x.sock'\n", ":1: control.socket cannot be", "/run"],
    ["one interface twice", "node.interfaces = ['a', 'a']\n", ":1: node.interfaces cannot be", "twice"],
    [
      "an address that others reach",
      "metrics.listen = '0.0.0.0:9532'\n",
      ":1: metrics.listen is",
      "metrics.public",
    ],
    [
      "an address that is none",
      "metrics.listen = 'here'\n",
      ":1: metrics.listen cannot be",
      "127.0.0.1:9532",
    ],
  ])("refuses %s, and says where and what there is", (_, text, message, why) => {
    const error = failure(() => load({ system: files({ "config.toml": text }) }));
    expect(error).toMatchObject({ code: "CONFIG_INVALID", exit: 2 });
    expect(error.message).toContain(message);
    expect(error.why).toContain(why);
    expect(error.unchanged).toMatch(/\w/);
  });

  it("refuses what a stronger source hides, and counts the faults", () => {
    const system = files({ "config.toml": "log.level = 'loud'\nlog.format = 'big'\n" });
    const error = failure(() => load({ system, flags: { "log.level": "info" } }));
    expect(error.message).toContain("log.level");
    expect(error.why).toContain("1 more fault");
  });

  it("names the variable or flag that is wrong", () => {
    const variable = failure(() => load({ environment: { PROTEUS_METRICS_PUBLIC: "maybe" } }));
    expect(variable.message).toContain("PROTEUS_METRICS_PUBLIC: metrics.public");
    expect(failure(() => load({ flags: { "node.memory": "lots" } })).message).toContain(
      "--memory: node.memory",
    );
  });

  it("takes lists and truth from text", () => {
    const environment = {
      PROTEUS_INTERFACE: "eth0, eth1",
      PROTEUS_METRICS_PUBLIC: "yes",
      PROTEUS_MEMORY: "1G",
    };
    expect(load({ environment }).values).toMatchObject({
      "node.interfaces": ["eth0", "eth1"],
      "metrics.public": true,
      "node.memory": 2 ** 30,
    });
  });

  it("shows as a file that sets the same", () => {
    const flags = { "node.name": "n.1", "node.interfaces": ["a", "b"], "log.level": "warn" } as const;
    const { values } = load({ flags });
    const text = settingKeys.map((key) => `${key} = ${JSON.stringify(values[key])}\n`).join("");
    expect(load({ system: files({ "config.toml": text }) }).values).toEqual(values);
  });
});

describe("an address for metrics", () => {
  it.each([
    ["off", { kind: "off" }, true],
    ["unix:/run/a.sock", { kind: "unix", path: "/run/a.sock" }, true],
    ["127.0.0.1:9532", { kind: "tcp", host: "127.0.0.1", port: 9532 }, true],
    ["localhost:1", { kind: "tcp", host: "localhost", port: 1 }, true],
    ["[::1]:9532", { kind: "tcp", host: "::1", port: 9532 }, true],
    ["0.0.0.0:9532", { kind: "tcp", host: "0.0.0.0", port: 9532 }, false],
    ["[::]:9532", { kind: "tcp", host: "::", port: 9532 }, false],
  ])("%s is understood", (text, listen, local) => {
    expect(parseListen(text)).toEqual({ listen });
    expect(isLocal(parseListen(text).listen)).toBe(local);
  });

  it.each([
    "",
    "on",
    "unix:a",
    `unix:/${"x".repeat(120)}`,
    "127.0.0.1",
    "127.0.0.1:70000",
    "example.org:80",
    "::1:80",
    "127.1.evil.org:80",
  ])("%s is refused", (text) => {
    expect(parseListen(text).fault).toMatch(/\w/);
  });
});
