// Mounts a file system at a folder, and takes it off again: FUSE's device and mount(2), no libfuse.
//
// - Needs CAP_SYS_ADMIN, as passthrough does. `default_permissions`: the kernel checks owner, group
//   and mode; `allow_other`: for everybody.
// - A mount of ours whose program was killed answers ENOTCONN for ever: the next mount at that folder
//   takes it off first. Other file systems are left alone.
// - Nothing here touches what lies behind the mount: who serves it might be waiting for us.

import { closeSync, constants, openSync, readFileSync, statfsSync, statSync } from "node:fs";
import { type FuseCalls, fuseCalls } from "./calls.js";
import { FuseError } from "./errors.js";

const device = "/dev/fuse";
/** As /proc/mounts shows it. */
export const fuseType = "fuse.proteus";
const MS_RDONLY = 1;
const MS_NOSUID = 2;
const MS_NODEV = 4;
const MNT_DETACH = 2;
const EBUSY = 16;
/** Nothing is mounted there (EINVAL), or the mount that it was on is gone (ENOENT) or dead (ENOTCONN). */
const notThere: readonly number[] = [22, 2, 107];

export interface MountOptions {
  /** An absolute path of a folder that is there. */
  readonly target: string;
  /** What `mount` shows as the device: the volume. */
  readonly source: string;
  /** Set-id bits and special files count, as on a local disk; default false. */
  readonly trusted?: boolean;
  /** The kernel lets nobody change anything; default false. */
  readonly readOnly?: boolean;
}

/** What is mounted at a place, from the top; escapes of the file undone. */
export function mountsAt(
  target: string,
  table = readFileSync("/proc/self/mounts", "utf8"),
): readonly string[] {
  const unescaped = (text: string): string =>
    text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
  const lines = table.split("\n").map((line) => line.split(" "));
  const here = lines.filter(([, path = ""]) => Buffer.from(unescaped(path), "latin1").toString() === target);
  return here.map(([, , type = ""]) => type).reverse();
}

/** True when a mount of ours is there whose program is gone. Its root's attributes the kernel may still know. */
export function isAbandoned(target: string): boolean {
  if (mountsAt(target)[0] !== fuseType) return false;
  try {
    statfsSync(target);
    return false;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOTCONN" || code === "ECONNABORTED";
  }
}

/** Takes a mount off, also one in use: it is gone from the tree at once, and ends with its last user. */
export async function unmount(target: string, calls: FuseCalls = fuseCalls()): Promise<void> {
  const status = await calls.unmount(target, MNT_DETACH);
  if (status < 0 && !notThere.includes(-status))
    throw new FuseError(
      "FUSE_SYSTEM",
      `${target} cannot be unmounted (errno ${-status})`,
      "umount -l does the same",
    );
}

/** Opens the device and mounts it; answers its descriptor, which does not block. Throws FuseError. */
export async function mountFuse(options: MountOptions): Promise<number> {
  const { target, source, trusted = false, readOnly = false } = options;
  const calls = fuseCalls();
  if (isAbandoned(target)) await unmount(target, calls);
  if (mountsAt(target)[0] === fuseType)
    throw new FuseError(
      "FUSE_MOUNTED",
      `${target} is mounted already`,
      "unmount it first, or use another folder",
    );
  let facts: ReturnType<typeof statSync>;
  try {
    facts = statSync(target);
  } catch (error) {
    throw new FuseError("FUSE_MOUNTPOINT", (error as Error).message, "make the folder first");
  }
  if (!facts.isDirectory()) throw new FuseError("FUSE_MOUNTPOINT", `${target} is no folder`, "name a folder");
  const descriptor = openDevice();
  const data = [
    `fd=${descriptor}`,
    `rootmode=${(facts.mode & 0o170000).toString(8)}`,
    ...["user_id=0", "group_id=0", "default_permissions", "allow_other"],
  ].join(",");
  const flags = (trusted ? 0 : MS_NOSUID | MS_NODEV) | (readOnly ? MS_RDONLY : 0);
  const status = calls.mount(source, target, fuseType, flags, data);
  if (status >= 0) return descriptor;
  closeSync(descriptor);
  if (status === -EBUSY) throw new FuseError("FUSE_MOUNTED", `${target} is in use`, "use another folder");
  throw new FuseError(
    status === -1 ? "FUSE_DENIED" : "FUSE_SYSTEM",
    `the system refuses to mount at ${target} (errno ${-status})`,
    status === -1 ? "mounting takes root's rights (CAP_SYS_ADMIN)" : "proteus doctor says what is missing",
  );
}

function openDevice(): number {
  try {
    return openSync(device, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const denied = code === "EACCES" || code === "EPERM";
    throw new FuseError(
      denied ? "FUSE_DENIED" : "FUSE_UNAVAILABLE",
      message,
      denied ? "run it as root" : "load the kernel's FUSE: modprobe fuse",
    );
  }
}
