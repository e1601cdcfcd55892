// Which of the three ways keeps the machines of a lab apart:
//
// - `netns`: network namespaces, as root.
// - `userns`: network namespaces inside a user namespace, where a user is root.
// - `memory`: one process is the LAN, machines are processes that share everything
//   else; when neither of the others is allowed.

import { ProteusError } from "../kernel/errors.js";
import type { Isolation } from "./state.js";
import { runTool } from "./tools.js";

/** What `unshare` needs to make a lab's own namespaces. */
export function unshareArguments(isolation: "netns" | "userns"): string[] {
  return [...(isolation === "userns" ? ["--user", "--map-root-user"] : []), "--net", "--mount"];
}

/** Tries it; null when it works, else what the system said. */
async function refusal(isolation: "netns" | "userns"): Promise<string | null> {
  const probe = "mount -t tmpfs none /run && mkdir /run/netns && ip netns add probe";
  const { status, errors } = await runTool(["unshare", ...unshareArguments(isolation), "sh", "-c", probe]);
  if (status !== 0) await runTool(["ip", "-V"]); // Missing: that is what has to be said.
  return status === 0 ? null : errors.trim().split("\n").at(-1) || `unshare ended with status ${status}`;
}

/** A choice, and why it was made: one line for people. */
export interface IsolationChoice {
  readonly isolation: Isolation;
  readonly reason: string;
}

const words: Readonly<Record<Isolation, string>> = {
  netns: "network namespaces",
  userns: "network namespaces in a user namespace",
  memory: "in-memory LAN",
};

/** Chooses the best that the system allows, or checks the one that is `wanted`. */
export async function chooseIsolation(wanted: Isolation | "auto"): Promise<IsolationChoice> {
  if (wanted === "memory") return { isolation: wanted, reason: `${words.memory}: as asked` };
  const root = process.getuid?.() === 0;
  const refusals: string[] = [];
  const candidates = (["netns", "userns"] as const).filter(
    (each) => wanted === each || (wanted === "auto" && (each !== "netns" || root)),
  );
  const reason = (refused: readonly string[]): string => {
    if (wanted !== "auto") return "as asked";
    if (refused.length > 0) return `the system refuses ${refused.join("; ")}`;
    return root ? "root" : "without root";
  };
  for (const isolation of candidates) {
    const said = await refusal(isolation);
    if (said === null) return { isolation, reason: `${words[isolation]}: ${reason(refusals)}` };
    refusals.push(`${words[isolation]}: ${said}`);
  }
  if (wanted === "auto") return { isolation: "memory", reason: `${words.memory}: ${reason(refusals)}` };
  throw new ProteusError({
    code: "LAB_ISOLATION_REFUSED",
    exit: 4,
    message: `a lab of ${words[wanted]} cannot be made here`,
    why: refusals.join("; "),
    unchanged: "no lab was made or changed",
    hint:
      wanted === "netns" && !root
        ? "run as root, or leave --isolation out"
        : "leave --isolation out: the lab takes what the system allows",
  });
}
