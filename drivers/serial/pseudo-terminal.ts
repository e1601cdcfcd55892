// Pseudo-terminals of Linux: a serial port whose other end is in this process, for labs and tests.
//
// - No right is needed. The terminal is raw from the start: nothing is echoed or changed.
// - It stays as it is when a program closes its end; the next one can open it.
// - `send` never waits: it says how much there was room for.
// - pty(7), termios(3).

import { closeSync, constants, openSync, writeSync } from "node:fs";
import { ReadStream } from "node:tty";
import { cLibrary } from "../c-library.js";

const nameBytes = 64;
const termiosBytes = 64;
const F_GETFL = 3;
const F_SETFL = 4;

interface Calls {
  posix_openpt(flags: number): number;
  grantpt(fd: number): number;
  unlockpt(fd: number): number;
  ptsname_r(fd: number, name: Uint8Array, bytes: number): number;
  tcgetattr(fd: number, termios: Uint8Array): number;
  cfmakeraw(termios: Uint8Array): void;
  tcsetattr(fd: number, when: number, termios: Uint8Array): number;
  fcntl(fd: number, command: number, argument: number): number;
}

let calls: Calls | undefined;

function loadCalls(): Calls {
  if (calls !== undefined) return calls;
  const { library } = cLibrary();
  calls = {
    posix_openpt: library.func("int posix_openpt(int flags)"),
    grantpt: library.func("int grantpt(int fd)"),
    unlockpt: library.func("int unlockpt(int fd)"),
    ptsname_r: library.func("int ptsname_r(int fd, void *name, size_t bytes)"),
    tcgetattr: library.func("int tcgetattr(int fd, void *termios)"),
    cfmakeraw: library.func("void cfmakeraw(void *termios)"),
    tcsetattr: library.func("int tcsetattr(int fd, int when, void *termios)"),
    fcntl: library.func("int fcntl(int fd, int command, long argument)"),
  };
  return calls;
}

/** An open pseudo-terminal: our end of it. */
export class PseudoTerminal {
  /** What another program opens as its serial port. */
  readonly path: string;
  readonly #fd: number;
  readonly #stream: ReadStream;
  /** Its other end, so that it does not hang up when nobody else has it. */
  readonly #held: number;

  /** Throws an Error when the system has no more of them. */
  constructor() {
    const system = loadCalls();
    const fd = system.posix_openpt(constants.O_RDWR | constants.O_NOCTTY);
    if (fd < 0) throw new Error("this system has no pseudo-terminal left");
    try {
      const name = Buffer.alloc(nameBytes);
      const termios = Buffer.alloc(termiosBytes);
      const failed =
        system.grantpt(fd) !== 0 ||
        system.unlockpt(fd) !== 0 ||
        system.ptsname_r(fd, name, nameBytes) !== 0 ||
        system.tcgetattr(fd, termios) !== 0;
      system.cfmakeraw(termios);
      if (failed || system.tcsetattr(fd, 0, termios) !== 0)
        throw new Error("a pseudo-terminal could not be set up");
      this.path = name.toString("utf8", 0, name.indexOf(0));
      this.#held = openSync(this.path, constants.O_RDWR | constants.O_NOCTTY);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.#fd = fd;
    this.#stream = new ReadStream(fd);
    this.#stream.on("error", () => {});
    // Node.js writes to terminals with waiting, which would stop all other cables of this process.
    system.fcntl(fd, F_SETFL, system.fcntl(fd, F_GETFL, 0) | constants.O_NONBLOCK);
  }

  /** What the program at the other end writes. */
  onData(received: (bytes: Buffer) => void): void {
    this.#stream.on("data", received);
  }

  /** Takes no more from the other end for now, which then has to wait; or goes on. */
  hold(on: boolean): void {
    if (on) this.#stream.pause();
    else this.#stream.resume();
  }

  /** Bytes for the program at the other end; answers how many there was room for. */
  send(bytes: Uint8Array): number {
    if (this.#stream.destroyed) return 0;
    try {
      return writeSync(this.#fd, bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
      throw error;
    }
  }

  close(): void {
    if (this.#stream.destroyed) return;
    this.#stream.destroy();
    closeSync(this.#held);
  }
}
