// `proteus decode`: frames in hex, one a line, into their layers.
//
// - Spaces, colons and 0x between the digits are allowed, empty lines skipped.
// - One line of output for each frame, as it comes: JSON, or a summary for people.
// - A line that is no frame is reported on stderr with its number; the rest goes on and
//   the command ends with 1.

import { createInterface } from "node:readline";
import type { Command } from "@commander-js/extra-typings";
import { fromHex } from "../kernel/bytes.js";
import { exitCodes } from "../kernel/errors.js";
import type { OfflineKernel } from "../kernel/offline.js";
import { type Dissection, dissect } from "../kernel/wire.js";
import { emit, narrate } from "./output.js";
import { offlineKernel } from "./package-files.js";

const frameBytesMax = 65_536;

const examples = `
Examples:
  proteus decode < frames.txt
  proteus decode --json < frames.txt | jq .flip.type`;

/** The bytes of a line, or what is wrong with it. */
export function frameOf(line: string): Uint8Array | string {
  const digits = line.replace(/0[xX]|[\s:]/g, "");
  const wrong = /[^0-9a-fA-F]/.exec(digits);
  if (wrong !== null) return `"${wrong[0]}" is not a hex digit`;
  if (digits.length % 2 !== 0) return `${digits.length} hex digits are not whole bytes`;
  if (digits.length > 2 * frameBytesMax) return `a frame has at most ${frameBytesMax} bytes`;
  return fromHex(digits) ?? "not hex";
}

const mac = (hex: string): string => hex.replace(/..(?=.)/g, "$&:");

/** A frame in one line for people. */
export function summary({ ethernet, fragment, flip, rpc, group, header, error }: Dissection): string {
  const parts: string[] = [];
  if (ethernet !== undefined) parts.push(`${mac(ethernet.src)} > ${mac(ethernet.dst)}`);
  if (fragment !== undefined && (fragment.type !== "DATA" || fragment.count > 0)) {
    parts.push(`${fragment.type} ${fragment.count}`);
  }
  if (flip !== undefined) {
    const counts = flip.count === undefined ? "" : `, ${flip.count} there, ${flip.trusted} trusted`;
    parts.push(
      `${flip.type} ${flip.src} > ${flip.dst}, hops ${flip.act_hop}/${flip.max_hop}, message ${flip.messid}, ` +
        `bytes ${flip.offset}+${flip.length}/${flip.total}${counts}`,
    );
  }
  if (rpc !== undefined) {
    // The thread asked for is not known to a client: a REQUEST has its round trip there.
    const to = rpc.type === "REQUEST" ? `, round trip ${rpc.dest} ms` : ` > thread ${rpc.dest}`;
    parts.push(`RPC ${rpc.type} port ${rpc.port}, tid ${rpc.tid}, thread ${rpc.from}${to}`);
  }
  if (group !== undefined) {
    parts.push(`group ${group.type} from member ${group.cpu}, seqno ${group.seqno}, message ${group.messid}`);
  }
  if (header !== undefined) {
    const command =
      header.status < 0 || rpc?.type === "REPLY" ? `status ${header.status}` : `command ${header.command}`;
    parts.push(`${command}, offset ${header.offset}, size ${header.size}, extra ${header.extra}`);
  }
  if (error !== undefined) parts.push(`malformed: ${error}`);
  return parts.join(" | ");
}

/** Shows every frame of `lines`; answers how many lines were no good frame. */
export async function decodeLines(
  kernel: OfflineKernel,
  lines: AsyncIterable<string> | Iterable<string>,
  json: boolean,
): Promise<number> {
  let number = 0;
  let bad = 0;
  for await (const line of lines) {
    number++;
    if (line.trim() === "") continue;
    const frame = frameOf(line);
    const layers = typeof frame === "string" ? { error: `line: ${frame}` } : dissect(kernel, frame);
    if (layers.error !== undefined) {
      bad++;
      narrate(`proteus: line ${number}: ${layers.error}`);
    }
    if (json || typeof frame !== "string") emit("decode", json, layers, () => summary(layers));
  }
  return bad;
}

async function decode({ json }: { json: boolean }): Promise<void> {
  if (process.stdin.isTTY) narrate("hex frames, one a line; end with Ctrl-D");
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  const bad = await decodeLines(offlineKernel(), lines, json);
  if (bad > 0) process.exitCode = exitCodes.failed;
}

/** Adds `decode` to the program. */
export function registerDecode(program: Command): void {
  program
    .command("decode")
    .description("show the layers of hex frames, read from standard input one a line")
    .option("--json", "one JSON object a line on stdout", false)
    .addHelpText("after", examples)
    .action(decode);
}
