// `proteus group`: groups at a shell. Joining is group-join.ts; the rest asks a member by RPC
// on a kernel of its own, since groups are closed to those who are no members.

import type { Command } from "@commander-js/extra-typings";
import { noGroup } from "../group/configuration.js";
import { anyMemberPort } from "../interface/group.js";
import { ProteusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { startKernel } from "../node/start.js";
import { describeByName, listGroups, submitToGroup } from "../stub/group.js";
import { collect } from "./foreground.js";
import { joinGroup } from "./group-join.js";
import { groupPort, parseDetect, parseMinimum, parseParameters, parseResilience } from "./group-name.js";
import { groupsText, groupText } from "./group-text.js";
import { emit, narrate } from "./output.js";
import { kernelBytes } from "./package-files.js";
import { parseDuration } from "./quantity.js";

const joinHelp = `
Each line of standard input is sent to the group; each message of the group is printed as
one line, in the same order at every member. Who comes and goes is said on stderr. With
--json each message and each change of the membership is one document per line:
{"seqno":7,"member":1,"kind":"join|leave|data|reset","text":"…"}

A member that dies is noticed within a second, and the group recovers by itself. A line whose
fate the crash left open is sent again and delivered once. A member that was cut off joins
again. At the end of standard input it stays until Ctrl-C or SIGTERM, which leaves the group.

A name of 1 to 6 characters is the group's port, so are 12 hex digits; longer ones are hashed.

Examples:
  proteus group join chat --create
  proteus group join chat --create --resilience 1 --minimum 2
  seq 1000 | proteus group join chat --exit-at-eof --json

Exit codes: 1 when a line was refused or not acknowledged, 3 when there is no such group,
6 when too few members are left.`;

const infoHelp = `
The sequencer answers, or any member when it does not; the state is as that one sees it.

Examples:
  proteus group info chat
  proteus group info chat --json

Exit codes: 3 when there is no such group.`;

const listHelp = `
Asks the whole LAN; a group is found when one of its members is a \`proteus group join\`.

Example:
  proteus group list --json`;

const sendHelp = `
Groups are closed: a member is asked to send it. The words are joined by blanks.

Example:
  proteus group send chat hello from outside

Exit codes: 3 when there is no such group, 5 when the member stopped answering: the message may
have been sent or not.`;

/** Adds `group` and its subcommands to the program. */
export function registerGroup(program: Command): void {
  const group = program.command("group").description("groups: messages in one order at every member");
  group
    .command("join")
    .description("join a group, send lines to it and print its messages")
    .argument("<name>", "the group's name")
    .option("--create", "create the group if it does not exist", false)
    .option("--resilience <count>", "crashes that every delivered message survives; default 0")
    .option("--minimum <count>", "members that the group needs to go on after a crash; default 1")
    .option("--history <log2>", "log2 of the messages that the group keeps; default 10")
    .option("--members <count>", "most members that the group may have; default 16")
    .option("--detect <milliseconds>", "silence after which a member is dead; default 1000")
    .option("--interface <name>", "network to join on; may be repeated", collect, [])
    .option("--exit-at-eof", "leave when all lines of standard input are delivered", false)
    .option("--acks", "say on stderr which lines were acknowledged", false)
    .option("--json", "one JSON document per message", false)
    .addHelpText("after", joinHelp)
    .action(async (name, options) => {
      const port = groupPort(name);
      const parameters = parseParameters(options);
      const { resilience, minimum, detect } = options;
      await joinGroup({
        ...{ name, port, parameters, interfaces: options.interface },
        ...{ create: options.create, json: options.json, acks: options.acks, exitAtEof: options.exitAtEof },
        wishes: {
          ...(resilience === undefined ? {} : { resilience: parseResilience(resilience) }),
          ...(minimum === undefined ? {} : { minimum: parseMinimum(minimum) }),
        },
        detectMs: detect === undefined ? 0 : parseDetect(detect),
      });
    });
  group
    .command("info")
    .description("show a group: sequencer, members, history")
    .argument("<name>", "the group's name")
    .option("--interface <name>", "network to ask on; may be repeated", collect, [])
    .option("--timeout <duration>", "how long to look for a member", "1s")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", infoHelp)
    .action(async (name, options) => {
      const port = groupPort(name);
      const locateTimeoutMs = parseDuration(options.timeout);
      const document = await onKernel(options.interface, (kernel) =>
        orNoGroup(name, describeByName(kernel, port, { locateTimeoutMs })),
      );
      emit("group info", options.json, document, () => groupText(document));
    });
  group
    .command("list")
    .description("list the groups on the network")
    .option("--interface <name>", "network to ask on; may be repeated", collect, [])
    .option("--timeout <duration>", "how long to wait for answers", "500ms")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", listHelp)
    .action(async (options) => {
      const locateTimeoutMs = parseDuration(options.timeout);
      const groups = await onKernel(options.interface, (kernel) => listGroups(kernel, locateTimeoutMs));
      emit("group list", options.json, { groups }, () => (groups.length === 0 ? "" : groupsText(groups)));
    });
  group
    .command("send")
    .description("have a member send one message")
    .argument("<name>", "the group's name")
    .argument("<text...>", "the message")
    .option("--interface <name>", "network to send on; may be repeated", collect, [])
    .option("--timeout <duration>", "how long to look for a member", "1s")
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", sendHelp)
    .action(async (name, words, options) => {
      const port = groupPort(name);
      const locateTimeoutMs = parseDuration(options.timeout);
      const message = new TextEncoder().encode(words.join(" "));
      const seqno = await onKernel(options.interface, (kernel) =>
        orNoGroup(name, submitToGroup(kernel, anyMemberPort(kernel, port), message, { locateTimeoutMs })),
      );
      emit("group send", options.json, { seqno }, () => `ordered as message ${seqno}`);
    });
}

/** Does something with a kernel that lives only that long. */
async function onKernel<Value>(
  interfaces: readonly string[],
  work: (kernel: Kernel) => Promise<Value>,
): Promise<Value> {
  const running = await startKernel({ wasm: kernelBytes(), interfaces, say: narrate });
  try {
    return await work(running.kernel);
  } finally {
    await running.finish();
  }
}

/** Says that there is no such group where RPC says that nobody listens. */
async function orNoGroup<Value>(name: string, asked: Promise<Value>): Promise<Value> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof ProteusError) || error.code !== "RPC_NOTFOUND") throw error;
    throw noGroup(name, error);
  }
}
