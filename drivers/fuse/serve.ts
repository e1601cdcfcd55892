// The loop that serves a mount: reads a request, has it handled, writes the answer; sleeps when there
// is nothing.
//
// - It blocks its thread until the mount ends: a worker's. Messages of other threads are looked at
//   when they have called `wake` (wake.ts); timers, when `nextMs` says that it is time.
// - INIT is answered here: what is negotiated is what the file system asked for and the kernel has.
// - What a handler throws is a bug: EIO, and `failed` hears of it. Programs ignore errors of close, so
//   such a thing must not go by unseen.
// - An answer that nobody takes any more (the caller was killed) to an opening is followed by a
//   RELEASE, as the kernel will not send one.

import { errno, type FileAnswer, type FileRequest, type FileSystem } from "../file-system.js";
import { FuseBuffer } from "./buffer.js";
import { type FuseCalls, fuseCalls } from "./calls.js";
import { type Decoded, decode, type Init } from "./decode.js";
import { encode, encodeInit } from "./encode.js";
import {
  FUSE_MAJOR,
  FUSE_MINOR,
  FUSE_MINOR_LEAST,
  initFlags,
  initFlags2,
  REQUEST_BYTES_MAX,
  WRITE_BYTES_MAX,
} from "./protocol.js";
import type { Wake } from "./wake.js";

/** What was agreed with the kernel. */
export interface Agreed {
  readonly minor: number;
  /** Files can be handed to the kernel. */
  readonly passthrough: boolean;
}

export interface ServeOptions {
  /** Of the mounted device, not blocking. */
  readonly descriptor: number;
  readonly fileSystem: FileSystem;
  /** Asks for passthrough; default true. */
  readonly passthrough?: boolean;
  /** Told once, before the first request. */
  readonly agreed?: (agreed: Agreed) => void;
  readonly wake?: Wake;
  /** Called after a wake; false: serve no longer. */
  readonly woken?: () => boolean;
  /** Milliseconds until `tick` is to be called; Infinity: never. */
  readonly nextMs?: () => number;
  readonly tick?: () => void;
  readonly failed: (error: unknown) => void;
}

/** Requests served before timers are looked at again. */
const burst = 64;
const maxBackground = 64;
const pollMsMax = 60_000;

const wanted =
  initFlags.ASYNC_READ |
  initFlags.ATOMIC_O_TRUNC |
  initFlags.BIG_WRITES |
  initFlags.DO_READDIRPLUS |
  initFlags.READDIRPLUS_AUTO |
  initFlags.ASYNC_DIO |
  initFlags.PARALLEL_DIROPS |
  initFlags.MAX_PAGES |
  initFlags.HANDLE_KILLPRIV_V2 |
  initFlags.CACHE_SYMLINKS |
  initFlags.INIT_EXT;

class Serving {
  readonly #options: ServeOptions;
  readonly #calls: FuseCalls = fuseCalls();
  readonly #in = new FuseBuffer(new Uint8Array(REQUEST_BYTES_MAX));
  readonly #out = new FuseBuffer(new Uint8Array(REQUEST_BYTES_MAX));

  constructor(options: ServeOptions) {
    this.#options = options;
  }

  run(): void {
    const { descriptor, wake, woken, nextMs, tick } = this.#options;
    const watched = wake === undefined ? [descriptor] : [descriptor, wake.descriptor];
    let polled = false;
    for (;;) {
      if (wake?.taken(polled) && woken?.() === false) return;
      polled = false;
      const wait = nextMs?.() ?? Number.POSITIVE_INFINITY;
      if (wait <= 0) tick?.();
      for (let served = 0; served < burst; served++) {
        const length = this.#calls.read(descriptor, this.#in.bytes, REQUEST_BYTES_MAX);
        if (length > 0) {
          this.#serve(length);
          continue;
        }
        if (length === -errno.ENODEV || length === -errno.ECONNABORTED || length === -errno.EBADF) return;
        if (length !== -errno.EAGAIN) continue; // that request was given up, or a signal came
        const left = nextMs?.() ?? Number.POSITIVE_INFINITY;
        this.#calls.poll(watched, left <= 0 ? 0 : Math.min(Math.ceil(left), pollMsMax));
        polled = true;
        break;
      }
    }
  }

  #serve(length: number): void {
    const { fileSystem, failed } = this.#options;
    let decoded: Decoded;
    try {
      decoded = decode(this.#in, length);
    } catch (error) {
      failed(error);
      this.#write(this.#in.u32(8), this.#in.u32(12), { kind: "error", errno: errno.EIO });
      return;
    }
    const { uniqueLow, uniqueHigh, request } = decoded;
    if (request.kind === "init") {
      this.#init(uniqueLow, uniqueHigh, request);
      return;
    }
    let open = true;
    const answer = (given: FileAnswer): void => {
      if (!open) return;
      open = false;
      if (request.kind !== "forget" && request.kind !== "interrupt" && request.kind !== "destroy")
        this.#answer(uniqueLow, uniqueHigh, request, given);
    };
    try {
      if (request.kind === "other") answer({ kind: "error", errno: errno.ENOSYS });
      else fileSystem.handle(request, answer);
    } catch (error) {
      failed(error);
      answer({ kind: "error", errno: errno.EIO });
    }
  }

  #answer(uniqueLow: number, uniqueHigh: number, request: FileRequest, given: FileAnswer): void {
    const form = request.kind === "readdir" ? request : undefined;
    const status = this.#write(uniqueLow, uniqueHigh, given, form);
    if (status >= 0 || (given.kind !== "opened" && given.kind !== "created")) return;
    const { handle } = given.kind === "created" ? given.opened : given;
    const kind = request.kind === "opendir" ? "releasedir" : "release";
    this.#options.fileSystem.handle({ ...request, kind, handle } as FileRequest, () => undefined);
  }

  #write(
    low: number,
    high: number,
    given: FileAnswer,
    form?: { readonly bytes: number; readonly plus: boolean },
  ): number {
    const size = encode(this.#out, low, high, given, form);
    return this.#calls.write(this.#options.descriptor, this.#out.bytes, size);
  }

  #init(low: number, high: number, { major, minor, flags, flags2, maxReadahead }: Init): void {
    const { descriptor, passthrough = true, agreed, failed } = this.#options;
    if (major !== FUSE_MAJOR || minor < FUSE_MINOR_LEAST) {
      failed(
        new Error(`this kernel speaks FUSE ${major}.${minor}; at least 7.${FUSE_MINOR_LEAST} is needed`),
      );
      this.#write(low, high, { kind: "error", errno: errno.EOPNOTSUPP });
      return;
    }
    const through = passthrough && (flags2 & initFlags2.PASSTHROUGH) !== 0;
    const size = encodeInit(this.#out, low, high, {
      ...{ minor: Math.min(minor, FUSE_MINOR), maxReadahead, maxBackground, maxWrite: WRITE_BYTES_MAX },
      flags: flags & wanted,
      flags2: through ? initFlags2.PASSTHROUGH : 0,
      maxStackDepth: through ? 1 : 0,
    });
    agreed?.({ minor, passthrough: through });
    this.#calls.write(descriptor, this.#out.bytes, size);
  }
}

/** Serves until the mount ends. */
export function serveFuse(options: ServeOptions): void {
  new Serving(options).run();
}
