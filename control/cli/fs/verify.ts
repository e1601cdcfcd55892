// `proteus fs verify` and `fs volume verify`: whether a mount's cache, or a server's volume, is what it
// should be.
//
// - Whoever has the files looks, and goes on serving; the command asks how far that is until it has ended.
// - A dry run unless --repair. Exit code 6 when something is left that is not as it should be.

import { setTimeout as pause } from "node:timers/promises";
import type { Command } from "@commander-js/extra-typings";
import { z } from "zod";
import { type Check, checkSchema } from "../../interface/file-check.js";
import { VERIFY_BEGIN, VERIFY_REPAIR, viceTable } from "../../interface/vice.js";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import { stub } from "../../stub/client.js";
import { type CallingOptions, calling, locateTimeout, withCalling } from "../calling.js";
import { emit } from "../output.js";
import { table } from "../table.js";
import { parseTarget } from "../target.js";
import { askedFor } from "./asking.js";
import { requireMount } from "./mounts.js";
import { shownName } from "./names.js";
import { findVolume } from "./volume.js";

/** What the socket of a mount is asked. */
export const verifyAskedSchema = z.object({ isBegin: z.boolean(), isRepair: z.boolean() });

const askMs = 200;
/** Without a byte read meanwhile. */
const silentMsMax = 120_000;

/** Asks until it has ended. Throws FS_VERIFY_ENDED. */
async function untilDone(ask: (isBegin: boolean) => Promise<Check>): Promise<Check> {
  let before = -1;
  let silentMs = 0;
  for (let isBegin = true; silentMs < silentMsMax; isBegin = false) {
    const check = await ask(isBegin);
    if (check.state === "done" && check.failed === "") return check;
    if (check.state !== "running") throw ended(check.failed || "its program was started anew");
    const now = check.bytes + check.objects + check.files;
    silentMs = now === before ? silentMs + askMs : 0;
    before = now;
    await pause(askMs);
  }
  throw ended(`nothing was looked at for ${silentMsMax / 1000} s`);
}

const ended = (why: string): ProteusError =>
  new ProteusError({
    code: "FS_VERIFY_ENDED",
    exit: exitCodes.failed,
    message: "the verification ended before its report",
    why,
    unchanged: "what was repaired stays so",
    hint: "try again",
  });

function show(command: string, facts: Readonly<Record<string, unknown>>, check: Check, json: boolean): void {
  const { problems, found, left, isRepair, files, objects, bytes, isCompared } = check;
  const shown = problems.map((each) => ({ ...each, name: shownName(each.name) }));
  const report = { ...facts, objects, files, bytes, isCompared, isRepair, found, left, clean: left === 0 };
  const compared = `${isCompared ? "" : "not "}compared with the server's rows`;
  emit(command, json, { ...report, problems: shown }, () =>
    [
      `${objects} objects, ${files} contents of ${bytes} bytes; ${compared}`,
      ...(found === 0
        ? ["all is as it should be"]
        : [
            table(
              ["WHAT", "OBJECT", "NAME", "WHY", "REPAIR"],
              shown.map(({ what, id, name, why, repair }) => [what, `${id}`, name, why, repair]),
            ),
            ...(found > shown.length ? [`and ${found - shown.length} more`] : []),
            ...new Set(shown.flatMap(({ hint }) => (hint === undefined ? [] : [`next: ${hint}`]))),
            ...(!isRepair && shown.some(({ repair }) => repair === "possible")
              ? ["next: --repair does what is possible"]
              : []),
          ]),
    ].join("\n"),
  );
  if (left > 0) process.exitCode = exitCodes.degraded;
}

interface VerifyOptions {
  readonly repair: boolean;
  readonly json: boolean;
}

async function verifyMount(mountpoint: string, { repair: isRepair, json }: VerifyOptions): Promise<void> {
  const { target } = requireMount(mountpoint);
  const check = await untilDone((isBegin) => askedFor(checkSchema, target, "verify", { isBegin, isRepair }));
  show("fs verify", { target }, check, json);
}

async function verifyVolume(
  vice: string,
  name: string | undefined,
  options: CallingOptions & VerifyOptions,
): Promise<void> {
  const target = await parseTarget(vice, "vice", options);
  const { volume, check } = await calling(options, async (via) => {
    const { capability, document } = await findVolume(via, target, name, options);
    const calls = stub(via, viceTable, capability, { locateTimeoutMs: locateTimeout(options) });
    const flags = (isBegin: boolean): number =>
      (isBegin ? VERIFY_BEGIN : 0) + (options.repair ? VERIFY_REPAIR : 0);
    return {
      volume: document.name,
      check: await untilDone(async (isBegin) =>
        checkSchema.parse((await calls.verify({ flags: flags(isBegin) })).check),
      ),
    };
  });
  show("fs volume verify", { volume }, check, options.json);
}

const exits = "Exit code 6 when something is left that is not as it should be.";

const mountHelp = `
Reads every content in the cache and compares it with its length and SHA-256, looks for files that are of
nothing, and, when the server is there, compares what it has promised with what it says. Programs go on
meanwhile. --repair drops what is bad, so that it is fetched again; what was not shipped is never touched.
${exits}

Example:
  proteus fs verify /mnt/home --repair --json`;

const volumeHelp = `
The server reads every content of the volume and compares it with its length and SHA-256, and its rows with
each other; it goes on serving. --repair puts a good copy of the same content, where the volume has one, in
the place of a bad one, and removes files that are of nothing. ${exits}

Example:
  proteus fs volume verify @/var/lib/proteus-vice/vice.capability home`;

/** Adds `verify` to `fs` and to `fs volume`. */
export function registerVerify(fs: Command, volume: Command): void {
  fs.command("verify")
    .description("compare a mount's cache with what it should be")
    .argument("<mountpoint>", "where it is")
    .option("--repair", "drop what is bad, so that it is fetched again", false)
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", mountHelp)
    .action((mountpoint, options) => verifyMount(mountpoint, options));
  withCalling(
    volume
      .command("verify")
      .description("compare a volume's contents with what they should be")
      .argument("<vice>", "the server, or the volume's own capability")
      .argument("[name]", "the volume")
      .option("--repair", "mend what can be mended", false) as unknown as Command,
  )
    .addHelpText("after", volumeHelp)
    .action((...given: readonly unknown[]) =>
      verifyVolume(
        String(given[0]),
        given[1] as string | undefined,
        given[2] as CallingOptions & VerifyOptions,
      ),
    );
}
