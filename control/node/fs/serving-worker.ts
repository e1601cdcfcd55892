// The serving thread of a mount: FUSE's loop on the one side, venus in the middle, messages of the main
// thread between two requests.
//
// - Blocks until the mount ends; then what was done under a permit is shipped, as far as that can be done
//   in a few seconds, everything is durable, and it says so.

import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { type MessagePort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { FuseDevice } from "../../../drivers/fuse/device.js";
import { serveFuse } from "../../../drivers/fuse/serve.js";
import { Wake } from "../../../drivers/fuse/wake.js";
import { HostFolder } from "../../../drivers/host-folder/host-folder.js";
import type { FileTime } from "../../interface/file-status.js";
import type { Came } from "../../venus/link.js";
import { Venus } from "../../venus/venus.js";
import type { FromServing, Notify, ServingData, ToServing } from "./messages.js";

const data = workerData as ServingData;
const { descriptor, folder, bytesMax, mode, permit, port, machine, wake: shared, main, nodes, names } = data;
const leaveMs = 10_000;
const wake = new Wake(shared);
const say = (message: FromServing): void => main.postMessage(message);
const failed = (error: unknown): void =>
  say({ kind: "failed", message: error instanceof Error ? (error.stack ?? error.message) : String(error) });

const calls = new Map<number, (came: Came) => void>();
const notices = new Map<number, () => void>();
let last = 0;
let isEnding = false;

function now(): FileTime {
  const milliseconds = performance.timeOrigin + performance.now();
  return [Math.floor(milliseconds / 1000), Math.floor((milliseconds % 1000) * 1e6)];
}

/** What the kernel calls the time since this machine was started. */
const bootOf = (): string => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

const files = HostFolder.open(folder);
const venus = new Venus({
  ...{
    folder: files,
    newDigest: () => createHash("sha256"),
    random: randomBytes,
  },
  ...{ machine, port, failed, now, bytesMax, permit, boot: bootOf() },
  ...(mode === undefined ? {} : { mode }),
  clock: () => performance.now(),
  call(operation, given, done) {
    calls.set(++last, done);
    say({ kind: "call", id: last, operation, given });
  },
  invalidate(what, done) {
    notices.set(++last, done);
    const to = what[0]?.kind === "name" ? names : nodes;
    to.postMessage({ token: last, what } satisfies Notify);
  },
});

function take(message: ToServing): void {
  switch (message.kind) {
    case "came": {
      const done = calls.get(message.id);
      calls.delete(message.id);
      done?.(message.came);
      break;
    }
    case "break":
      venus.break(message.ids, () => say({ kind: "broken", token: message.token }));
      break;
    case "hurry":
      venus.hurry(message.fence);
      say({ kind: "broken", token: message.token });
      break;
    case "status":
      say({ kind: "status", token: message.token, status: venus.status() });
      break;
    case "log":
      say({ kind: "log", token: message.token, records: venus.log() });
      break;
    case "pin":
      venus.pin(message.path, message.isWanted, (pinned) =>
        say({ kind: "pinned", token: message.token, pinned }),
      );
      break;
    case "pins":
      say({ kind: "pins", token: message.token, pins: venus.pins() });
      break;
    case "verify":
      say({ kind: "verify", token: message.token, check: venus.verify(message) });
      break;
    case "end":
      isEnding = true;
      break;
    case "hold":
      venus.hold();
      break;
    case "connect":
      venus.link.isHeld = false;
      venus.link.begin();
      break;
  }
}

/** Takes every message that has come. */
function drain<Message>(from: MessagePort, each: (message: Message) => void): void {
  for (;;) {
    const found = receiveMessageOnPort(from) as { readonly message: Message } | undefined;
    if (found === undefined) return;
    try {
      each(found.message);
    } catch (error) {
      failed(error);
    }
  }
}

const noticed = (token: number): void => {
  const done = notices.get(token);
  notices.delete(token);
  done?.();
};

function woken(): boolean {
  drain<ToServing>(main, take);
  drain<number>(nodes, noticed);
  drain<number>(names, noticed);
  return !isEnding;
}

serveFuse({
  ...{ descriptor, fileSystem: venus, wake, failed },
  agreed({ passthrough }) {
    const device = new FuseDevice(descriptor);
    if (passthrough)
      venus.cache.contents.backings = {
        open: (file) => device.openBacking(file),
        close: (backing) => device.closeBacking(backing),
      };
    say({ kind: "mounted", passthrough });
  },
  woken,
  nextMs: () => venus.nextMs(),
  tick: () => venus.tick(),
});
try {
  venus.leave();
  for (const until = performance.now() + leaveMs; venus.isLeaving && performance.now() < until; ) {
    await pause(5);
    woken();
    if (venus.nextMs() <= 0) venus.tick();
  }
  venus.close();
} catch (error) {
  failed(error);
}
files.close();
say({ kind: "ended" });
for (const each of [main, nodes, names]) each.close();
