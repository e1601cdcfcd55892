// The settings of a node and of a control daemon, one table: file, environment, flags, help
// and `config show` come from it.
//
// - A setting has a key (`section.name`, as in the file), a schema, a default, the variable
//   that sets it, and a line for people. Commands give some of them a flag.
// - Text from a flag or a variable becomes what the file would hold: fromText.
// - Nothing here reads anything; load.ts does.

import { hostname } from "node:os";
import { z } from "zod";
import { systemSocket } from "../control/places.js";
import {
  cacheSize,
  copyRate,
  inodes,
  interfaceNames,
  list,
  listen,
  MiB,
  mediumSize,
  name,
  path,
  place,
  plain,
  plainNumber,
  seconds,
  size,
  socket,
  store,
  tlsListen,
  yesOrNo,
} from "./schemas.js";

/** One setting; `Value` is what the program gets. */
export interface Setting<Value> {
  readonly schema: z.ZodType<Value>;
  readonly fallback: () => Value;
  readonly environment: string;
  readonly flag: string;
  /** One line for people. */
  readonly about: string;
  /** What the file would hold for this text of a flag or a variable. */
  readonly fromText: (text: string) => unknown;
}

const setting = <Value>(facts: Setting<Value>): Setting<Value> => facts;
export const levels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export const schemes = ["keyed", "original"] as const;
export const formats = ["pretty", "json"] as const;

/** Every setting by its key. */
export const settings = {
  "node.name": setting({
    schema: name,
    fallback: hostname,
    environment: "PROTEUS_NODE",
    flag: "--name",
    about: "what this machine is called (default: its host name)",
    fromText: plain,
  }),
  "node.interfaces": setting<readonly string[]>({
    schema: interfaceNames,
    fallback: () => [],
    environment: "PROTEUS_INTERFACE",
    flag: "--interface",
    about:
      "networks to attach: eth0, serial:PORT@SPEED, ip:PEER=KEY+key=FILE (default: the only Ethernet one, or eth0)",
    fromText: list,
  }),
  "node.memory": setting({
    schema: size as z.ZodType<number>,
    fallback: () => 256 * MiB,
    environment: "PROTEUS_MEMORY",
    flag: "--memory",
    about: "memory of the kernel: tables, rings, buffers, and a quarter for segments (default: 256M)",
    fromText: plain,
  }),
  "node.ready_file": setting({
    schema: z.string({ error: "it is a path in quotes" }),
    fallback: () => "",
    environment: "PROTEUS_READY_FILE",
    flag: "--ready-file",
    about: "file that is written when the machine serves: its ports and interfaces as JSON",
    fromText: plain,
  }),
  "node.state": setting({
    schema: z.string({ error: "it is a path in quotes" }),
    fallback: () => "",
    environment: "PROTEUS_STATE",
    flag: "--state",
    about:
      "folder for what outlives a restart: its servers' secrets, so ports and capabilities stay (default: none)",
    fromText: plain,
  }),
  "node.capabilities": setting({
    schema: z.enum(schemes, { error: `it is one of ${schemes.join(", ")}` }),
    fallback: () => "keyed" as const,
    environment: "PROTEUS_CAPABILITIES",
    flag: "--capabilities",
    about:
      "how its servers make capabilities: keyed, or original for programs that know only that (default: keyed)",
    fromText: plain,
  }),
  "bullet.path": setting({
    schema: z.string({ error: "it is a path in quotes" }),
    fallback: () => "",
    environment: "PROTEUS_BULLET_PATH",
    flag: "--bullet",
    about:
      "file or partition of this machine's Bullet server; a file is made if missing; needs node.state (default: none)",
    fromText: plain,
  }),
  "bullet.size": setting({
    schema: mediumSize as z.ZodType<number>,
    fallback: () => 1024 * MiB,
    environment: "PROTEUS_BULLET_SIZE",
    flag: "--bullet-size",
    about: "bytes of that file when it is made; it takes room as it fills (default: 1G)",
    fromText: plain,
  }),
  "bullet.inodes": setting({
    schema: inodes,
    fallback: () => 0,
    environment: "PROTEUS_BULLET_INODES",
    flag: "--bullet-inodes",
    about: "files that it can hold, when it is made; 0: one for each 16K of the medium (default: 0)",
    fromText: plainNumber,
  }),
  "bullet.cache": setting({
    schema: cacheSize as z.ZodType<number>,
    fallback: () => 64 * MiB,
    environment: "PROTEUS_BULLET_CACHE",
    flag: "--bullet-cache",
    about: "memory for the contents of files; longer ones stream (default: 64M)",
    fromText: plain,
  }),
  "disk.run": setting({
    schema: z.boolean({ error: "it is true or false" }),
    fallback: () => true,
    environment: "PROTEUS_DISK",
    flag: "--disk",
    about: "have a disk server here, for members of mirrored disks; only with node.state (default: true)",
    fromText: yesOrNo,
  }),
  "pool.name": setting({
    schema: name,
    fallback: () => "pool",
    environment: "PROTEUS_POOL",
    flag: "--pool",
    about: "the pool that this machine belongs to (default: pool)",
    fromText: plain,
  }),
  "pool.announce": setting({
    schema: z.boolean({ error: "it is true or false" }),
    fallback: () => true,
    environment: "PROTEUS_POOL_ANNOUNCE",
    flag: "--announce",
    about: "tell the pool's control daemons that this machine is there (default: true)",
    fromText: yesOrNo,
  }),
  "directory.members": setting<readonly string[]>({
    schema: z
      .array(name, { error: 'it is a list of names: ["n1", "n2", "n3"]' })
      .max(9, { error: "a pool has at most 9 directory servers" })
      .refine((names) => new Set(names).size === names.length, { error: "a machine is named twice" }),
    fallback: () => [],
    environment: "PROTEUS_DIRECTORY",
    flag: "--directory",
    about: "names of all machines with directory servers; one runs here when this one is among them",
    fromText: list,
  }),
  "replication.run": setting({
    schema: z.boolean({ error: "it is true or false" }),
    fallback: () => false,
    environment: "PROTEUS_REPLICATION",
    flag: "--replication",
    about: "have a replication server here, which keeps copies of files; needs node.state (default: false)",
    fromText: yesOrNo,
  }),
  "replication.root": setting<readonly string[]>({
    schema: z.array(place, { error: 'it is a list of files: ["@/etc/proteus/root"]' }),
    fallback: () => [],
    environment: "PROTEUS_REPLICATION_ROOT",
    flag: "--replication-root",
    about: "@FILE with the root's capability, or a ready file (default: this machine's directory server)",
    fromText: list,
  }),
  "replication.servers": setting<readonly string[]>({
    schema: z.array(place, { error: 'it is a list of places: ["/profile/cap/bulletsvr"]' }),
    fallback: () => ["/profile/cap/bulletsvr"],
    environment: "PROTEUS_REPLICATION_SERVERS",
    flag: "--replication-servers",
    about: "Bullet servers that get copies: paths in the pool, @FILEs (default: /profile/cap/bulletsvr)",
    fromText: list,
  }),
  "replication.copies": setting({
    schema: z
      .int({ error: "it is a whole number" })
      .min(1, { error: "it is 1 or more" })
      .max(8, { error: "a capability set has at most 8 members" }),
    fallback: () => 1,
    environment: "PROTEUS_REPLICATION_COPIES",
    flag: "--replication-copies",
    about: "copies of every file at least; put --copies asks for more (default: 1)",
    fromText: plainNumber,
  }),
  "replication.interval": setting({
    schema: seconds(1),
    fallback: () => 60,
    environment: "PROTEUS_REPLICATION_INTERVAL",
    flag: "--replication-interval",
    about: "seconds between two rounds (default: 60)",
    fromText: plainNumber,
  }),
  "replication.grace": setting({
    schema: seconds(0),
    fallback: () => 300,
    environment: "PROTEUS_REPLICATION_GRACE",
    flag: "--replication-grace",
    about: "seconds that a Bullet server may be away before its files get copies elsewhere (default: 300)",
    fromText: plainNumber,
  }),
  "replication.verify": setting({
    schema: seconds(1),
    fallback: () => 86_400,
    environment: "PROTEUS_REPLICATION_VERIFY",
    flag: "--replication-verify",
    about: "seconds in which every copy is read whole once, to find what has rotted (default: 86400)",
    fromText: plainNumber,
  }),
  "replication.rate": setting({
    schema: copyRate as z.ZodType<number>,
    fallback: () => 32 * MiB,
    environment: "PROTEUS_REPLICATION_RATE",
    flag: "--replication-rate",
    about: "bytes that are copied or verified in a second, at most (default: 32M)",
    fromText: plain,
  }),
  "log.level": setting({
    schema: z.enum(levels, { error: `it is one of ${levels.join(", ")}` }),
    fallback: () => "info" as const,
    environment: "PROTEUS_LOG_LEVEL",
    flag: "--log-level",
    about: `the least that is logged: ${levels.join(", ")} (default: info)`,
    fromText: plain,
  }),
  "log.format": setting({
    schema: z.enum(formats, { error: `it is one of ${formats.join(", ")}` }),
    fallback: () => "pretty" as const,
    environment: "PROTEUS_LOG_FORMAT",
    flag: "--log-format",
    about: "pretty, or json: one document a line (default: pretty)",
    fromText: plain,
  }),
  "metrics.listen": setting({
    schema: listen,
    fallback: () => "127.0.0.1:9532",
    environment: "PROTEUS_METRICS_LISTEN",
    flag: "--metrics",
    about: "where Prometheus asks: HOST:PORT, unix:/PATH or off (default: 127.0.0.1:9532)",
    fromText: plain,
  }),
  "metrics.public": setting({
    schema: z.boolean({ error: "it is true or false" }),
    fallback: () => false,
    environment: "PROTEUS_METRICS_PUBLIC",
    flag: "--metrics-public",
    about: "allow a HOST that other machines reach; nothing there is secret or protected (default: false)",
    fromText: yesOrNo,
  }),
  "control.interfaces": setting<readonly string[]>({
    schema: interfaceNames,
    fallback: () => [],
    environment: "PROTEUS_CONTROL_INTERFACE",
    flag: "--interface",
    about:
      "networks of the control daemon (default: PROTEUS_INTERFACE, the only Ethernet interface, or eth0)",
    fromText: list,
  }),
  "control.store": setting({
    schema: store,
    fallback: () => "embedded",
    environment: "PROTEUS_CONTROL_STORE",
    flag: "--store",
    about: "what outlives it: embedded, embedded:/FOLDER, or etcd://HOST:PORT,HOST:PORT (default: embedded)",
    fromText: plain,
  }),
  "control.socket": setting({
    schema: socket,
    fallback: () => systemSocket(),
    environment: "PROTEUS_CONTROL_SOCKET",
    flag: "--socket",
    about: "where commands of this user ask it (default: proteus/control.sock in the runtime folder)",
    fromText: plain,
  }),
  "control.listen": setting({
    schema: tlsListen,
    fallback: () => "off",
    environment: "PROTEUS_CONTROL_LISTEN",
    flag: "--listen",
    about: "where other machines ask it, with TLS and a token: HOST:PORT or off (default: off)",
    fromText: plain,
  }),
  "control.tls_cert": setting({
    schema: path,
    fallback: () => "",
    environment: "PROTEUS_CONTROL_TLS_CERT",
    flag: "--tls-cert",
    about: "PEM file with its certificate, for control.listen",
    fromText: plain,
  }),
  "control.tls_key": setting({
    schema: path,
    fallback: () => "",
    environment: "PROTEUS_CONTROL_TLS_KEY",
    flag: "--tls-key",
    about: "PEM file with the certificate's key",
    fromText: plain,
  }),
  "control.token_file": setting({
    schema: path,
    fallback: () => "",
    environment: "PROTEUS_CONTROL_TOKEN_FILE",
    flag: "--token-file",
    about: "file with the token that other machines must have; for its owner only (commands: the same)",
    fromText: plain,
  }),
} as const;

export type SettingKey = keyof typeof settings;

/** The value of every setting. */
export type ConfigValues = {
  readonly [Key in SettingKey]: (typeof settings)[Key] extends Setting<infer Value> ? Value : never;
};

export const settingKeys = Object.keys(settings) as readonly SettingKey[];

/** True for the key of a setting. */
export function isSettingKey(key: string): key is SettingKey {
  return Object.hasOwn(settings, key);
}

/** The sections of the file, each with the names of its settings. */
export function sections(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const key of settingKeys) {
    const [section = "", own = ""] = key.split(".");
    found.set(section, [...(found.get(section) ?? []), own]);
  }
  return found;
}
