// The program of one export: told by its standard input what to export, it answers once at descriptor
// 3, where or why not, and serves until it is told to end.
//
// - In a lab it is at the control daemon's place and ends with the lab; its file (export-state.ts)
//   goes with it.

import { readFileSync, writeSync } from "node:fs";
import { z } from "zod";
import { parseCapability } from "../../capability/capability.js";
import type { Transact } from "../../kernel/calls.js";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { processOf } from "../../lab/processes.js";
import { type DiskExport, exportDisk } from "../../node/disk-export.js";
import { type RunningKernel, startKernel } from "../../node/start.js";
import { DiskError } from "../../server/disk/errors.js";
import { findControl } from "../control-access.js";
import { untilStopped } from "../foreground.js";
import { asProteusError } from "../output.js";
import { kernelBytes, offlineKernel } from "../package-files.js";
import { removeExport, writeExport } from "./export-state.js";

const text = z.string();
const jobSchema = z.object({
  name: text,
  lab: text.nullable(),
  capability: text,
  listen: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("unix"), path: text }),
    z.object({ kind: z.literal("descriptor"), descriptor: z.number() }),
  ]),
  readOnly: z.boolean(),
  tls: z
    .object({ cert: text, key: text, required: z.boolean(), clientAuthority: text.optional() })
    .optional(),
  /** Networks to call on; with `access` a control daemon is asked instead. */
  interfaces: z.array(text).readonly(),
  access: z
    .object({ control: text.optional(), controlCa: text.optional(), tokenFile: text.optional() })
    .nullable(),
});
export type ExportJob = z.infer<typeof jobSchema>;

const answerAt = 3;

export async function runExport(): Promise<void> {
  const stopped = untilStopped();
  let running: RunningKernel | null = null;
  let served: DiskExport | null = null;
  let job: ExportJob | null = null;
  try {
    job = jobSchema.parse(JSON.parse(readFileSync(0, "utf8")));
    running = job.access === null ? await startOn(job.interfaces, stopped.fail) : null;
    running?.spin(false); // most of what it waits for comes by its sockets
    served = await start(job, running?.kernel ?? findControl(job.access ?? {}).client.call);
    const own = processOf(process.pid);
    if (own === null) throw new Error("this program is not there");
    const { name, lab, readOnly } = job;
    writeExport({ schema: 1, name, lab, process: own, address: served.address, readOnly });
    writeSync(answerAt, `${JSON.stringify({ address: served.address })}\n`);
  } catch (error) {
    writeSync(answerAt, `${JSON.stringify({ error: factsOf(error) })}\n`);
    await served?.close();
    running?.close();
    process.exit(exitCodes.failed);
  }
  await stopped.promise.catch(() => undefined); // its kernel died: nothing can be served
  removeExport(job.lab, job.name);
  await served.close();
  await running?.finish();
  process.exit(exitCodes.ok); // a client that does not let go holds nothing up
}

const startOn = (interfaces: readonly string[], failed: (error: unknown) => void): Promise<RunningKernel> =>
  startKernel({ wasm: kernelBytes(), interfaces, endHost: true, failed });

function start(job: ExportJob, via: Kernel | Transact): Promise<DiskExport> {
  const { name, capability, listen, readOnly, tls } = job;
  return exportDisk({
    ...{ via, name, isReadOnly: readOnly, listen, failed: () => undefined },
    capability: parseCapability(offlineKernel(), capability),
    ...(tls === undefined
      ? {}
      : { tls: { cert: tls.cert, key: tls.key, required: tls.required, ...authorityOf(tls) } }),
  });
}

const authorityOf = ({ clientAuthority }: { readonly clientAuthority?: string | undefined }) =>
  clientAuthority === undefined ? {} : { clientAuthority };

function factsOf(error: unknown): object {
  const known = error instanceof DiskError ? unserved(error) : asProteusError(error);
  if (known === undefined)
    return {
      code: "BUG",
      exit: exitCodes.failed,
      message: error instanceof Error ? error.stack : String(error),
    };
  const { code, exit, message, why, unchanged, hint } = known;
  return { code, exit, message, why, unchanged, hint };
}

function unserved(error: DiskError): ProteusError {
  return new ProteusError({
    code: error.code,
    exit: exitCodes.unreachable,
    message: "the disk cannot be exported: its storage does not answer",
    why: error.message,
    unchanged: "nothing is exported",
    hint: "proteus disk show NAME says how it fares",
    cause: error,
  });
}
