// What the programs that run as services have in common: a log as the settings say, and a
// failure that is a line of the log where the log is JSON.

import type { Config } from "../node/config/load.js";
import { type Log, openLog } from "../node/log.js";
import { asProteusError, hasColours } from "./output.js";

/** Runs a service with its log, which is written to its end whatever happens. */
export async function runLogged({ values, files }: Config, run: (log: Log) => Promise<void>): Promise<void> {
  const { log, close } = openLog({
    level: values["log.level"],
    format: values["log.format"],
    name: values["node.name"],
    colours: hasColours(process.stderr),
  });
  try {
    if (files.length > 0) log.debug({ files }, "settings were read");
    await run(log);
  } catch (error) {
    const known = asProteusError(error);
    if (values["log.format"] !== "json" || known === undefined) throw error;
    const { code, exit, message, why, unchanged, hint } = known;
    log.fatal({ code, why, unchanged, hint }, message);
    process.exitCode = exit;
  } finally {
    await close();
  }
}
