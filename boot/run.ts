// One machine without an operating system, from power-on to the end of its process: what
// `proteus boot run` does, and the lab for each node of kind metal.
//
// - Its console goes to `said`, line by line. When it serves (again, after a panic too) `serves` gets
//   the document that it printed: name, kernel, put-ports.
// - It ends with its QEMU: by `abort`, or of itself, which is BOOT_MACHINE_ENDED.

import { exitCodes, ProteusError } from "../control/kernel/errors.js";
import { offerConsole } from "./console.js";
import type { NetworkMachine } from "./network-machine.js";
import { type MachineOptions, servesLine, startMachine } from "./qemu.js";

export interface RunOptions {
  readonly machine: MachineOptions | NetworkMachine;
  /** Told once it is switched on. */
  readonly started?: (pid: number) => void;
  readonly said: (line: string) => void;
  readonly serves: (document: Readonly<Record<string, unknown>>, pid: number) => void;
  /** Where others may find its console: a Unix socket (console.ts). */
  readonly console?: string | undefined;
  readonly abort: AbortSignal;
}

/** Runs the machine to its end. Throws BOOT_MACHINE_ENDED when nobody wanted that. */
export async function runMachine(options: RunOptions): Promise<void> {
  const { machine, said, serves, console: path, abort } = options;
  let type: (bytes: Buffer) => void = () => undefined;
  const offered = path === undefined ? undefined : await offerConsole(path, (bytes) => type(bytes));
  const ended = new Promise<void>((resolve, reject) => {
    const child = startMachine(machine, (line) => {
      said(line);
      offered?.say(line);
      const document = servesLine(line);
      if (document !== undefined) serves(document, child.pid ?? 0);
    });
    if (child.pid !== undefined) options.started?.(child.pid);
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors = (errors + text).slice(-2000);
      said(text.trimEnd());
    });
    child.stdin.on("error", () => undefined); // it may end before it has read
    type = (bytes) => void child.stdin.write(bytes);
    const stop = (): void => void child.kill("SIGKILL");
    abort.addEventListener("abort", stop, { once: true });
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      abort.removeEventListener("abort", stop);
      type = () => undefined;
      if (abort.aborted) {
        resolve();
        return;
      }
      reject(
        new ProteusError({
          code: "BOOT_MACHINE_ENDED",
          exit: exitCodes.failed,
          message: "the machine's QEMU ended",
          why: errors.trim() || (signal ?? `exit status ${code}`),
          hint: "its console, above, says what it did last; start it again",
        }),
      );
    });
  });
  return ended.finally(() => offered?.close());
}
