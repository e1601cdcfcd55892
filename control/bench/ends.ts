// The two ends of a benchmark between machines that are there: nodes of a lab, deployed machines
// behind ssh, this machine. How a command is started on each, and on which interfaces they meet.
//
// - Both need an IPv4 address on one network: TCP knows no way through FLIP routers.
// - A machine says itself what it has (describe.ts); of a lab's node the lab knows better which
//   interfaces it has.

import { exitCodes, ProteusError, usageError } from "../kernel/errors.js";
import { isUp } from "../lab/lab.js";
import { enterNode } from "../lab/namespaces.js";
import { interfacesOf } from "../lab/plan.js";
import { dies } from "../lab/tools.js";
import type { Machine } from "../machine/find.js";
import type { RemoteFacts } from "../machine/ssh.js";
import type { Answer, Order } from "./systems/system.js";
import type { Attachment, Described } from "./types.js";
import { type Pinned, pinned, stays, Worker } from "./worker.js";

/** An interface with an address. */
export type Meeting = Attachment & { readonly ip: string };

export interface End {
  /** As it was named: `n1`, `ssh:root@h1`. */
  readonly name: string;
  readonly card: Meeting;
  readonly described: Described;
  /** Whether processes can be held to a core there. */
  readonly holds: boolean;
  readonly pinned: Pinned;
  /** The command of a worker there. */
  readonly worker: (core: number | null) => readonly string[];
}

export interface Between {
  readonly client: End;
  readonly server: End;
}

/** This installation: what must be on the other machines too, and how it is started here. */
export interface Installation extends Pick<RemoteFacts, "version" | "kernel"> {
  readonly proteus: readonly string[];
}

type Way = Pick<End, "name" | "pinned" | "worker" | "holds">;

const unchanged = "nothing was measured";
const workerWords = ["bench", "worker"];

function nodeEnter({ name, state, node }: Extract<Machine, { kind: "node" }>): string[] {
  if (state.isolation === "memory")
    throw new ProteusError({
      ...{ code: "BENCH_ISOLATION", exit: exitCodes.denied, unchanged },
      message: "a LAN in memory has no network stacks to compare with",
      hint: "run the lab as root, or where user namespaces are allowed",
    });
  if (isUp(state, node)) return enterNode(state, node.name);
  throw new ProteusError({
    ...{ code: "LAB_NODE_DOWN", exit: exitCodes.unreachable, message: `${name} is down`, unchanged },
    hint: `proteus lab start ${name}`,
  });
}

/** How commands are started there. */
async function wayTo(machine: Machine, own: Installation): Promise<Way> {
  const { name } = machine;
  if (machine.kind !== "ssh") {
    const enter = machine.kind === "node" ? nodeEnter(machine) : ["env"];
    const onIt: Pinned = (core, command) => pinned(enter, core, command);
    return {
      name,
      holds: true,
      pinned: onIt,
      worker: (core) => onIt(core, [...own.proteus, ...workerWords]),
    };
  }
  const { remote } = machine;
  const { tools } = await remote.probe(own);
  const before = (core: number | null): string[] => [
    ...(tools.includes("setpriv") ? dies : []),
    ...(tools.includes("taskset") ? stays(core) : []),
  ];
  return {
    ...{ name, holds: tools.includes("taskset") },
    pinned: (core, command) => remote.command([...before(core), ...command]),
    worker: (core) => remote.program(workerWords, before(core)),
  };
}

/** The interfaces that may be meant, where that is not for the machine itself to say. */
function known(machine: Machine): Attachment[] | null {
  if (machine.kind !== "node") return null;
  const all = interfacesOf(machine.state.topology, machine.node);
  const wanted = all.filter(({ name }) => name === (machine.interfaceName ?? name));
  if (wanted.length > 0) return wanted.map(({ name, mtu, ip }) => ({ name, mtu, ip }));
  throw new ProteusError({
    ...{ code: "LAB_NO_INTERFACE", exit: exitCodes.notFound, unchanged },
    message: `${machine.name} has no interface "${machine.interfaceName}"`,
    why: `it has ${all.map(({ name }) => name).join(", ")}`,
  });
}

/** What the machine says of itself. Throws BENCH_MACHINE. */
async function describe({ name, worker }: Way, interfaces: readonly string[] | null): Promise<Described> {
  const asked = new Worker<Order, Answer>(`worker on ${name}`, worker(null));
  try {
    const answer = await asked.order({ describe: { interfaces } });
    if (!("described" in answer)) throw new Error("it did not describe itself");
    return answer.described;
  } catch (error) {
    if (error instanceof ProteusError) throw error;
    throw new ProteusError({
      ...{
        code: "BENCH_MACHINE",
        exit: exitCodes.failed,
        message: `nothing can be measured on ${name}`,
        unchanged,
      },
      why: error instanceof Error ? error.message : String(error),
      hint: "see what it lacks: proteus doctor, there; name an interface: ssh:HOST:INTERFACE",
      cause: error,
    });
  } finally {
    asked.kill();
  }
}

/** The network of an address, `10.0.0.1/24`, as a number and its length. Pure. */
function networkOf(ip: string): string {
  const [address = "", length = ""] = ip.split("/");
  const value = address.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0);
  return `${Math.floor(value / 2 ** (32 - Number(length)))}/${length}`;
}

/** The first two interfaces on one network, the client's first. Pure. */
export function meet(
  client: readonly Attachment[],
  server: readonly Attachment[],
): readonly [Meeting, Meeting] | undefined {
  const addressed = (all: readonly Attachment[]) =>
    all.flatMap((each): Meeting[] => (each.ip === null ? [] : [{ ...each, ip: each.ip }]));
  for (const mine of addressed(client))
    for (const its of addressed(server)) if (networkOf(mine.ip) === networkOf(its.ip)) return [mine, its];
  return undefined;
}

const attached = (name: string, all: readonly Attachment[]): string =>
  `${name} has ${all.map((each) => `${each.name} with ${each.ip ?? "no IPv4 address"}`).join(", ")}`;

/**
 * Looks at two machines. Throws a usage error when they are not two, or share no network;
 * LAB_NODE_DOWN, LAB_NO_INTERFACE, BENCH_ISOLATION, BENCH_MACHINE, REMOTE_….
 */
export async function openBetween(machines: readonly Machine[], own: Installation): Promise<Between> {
  const [first, second] = machines;
  if (machines.length !== 2 || first === undefined || second === undefined || first.name === second.name)
    throw usageError("--between takes two machines", "such as --between n1 n2, or ssh:h1 ssh:h2");
  const look = async (machine: Machine) => {
    const interfaces = known(machine);
    const way = await wayTo(machine, own);
    const wish =
      machine.kind === "node" ? [] : machine.interfaceName === undefined ? null : [machine.interfaceName];
    const described = await describe(way, wish);
    return { way, described, interfaces: interfaces ?? described.interfaces };
  };
  const [client, server] = await Promise.all([look(first), look(second)]);
  const met = meet(client.interfaces, server.interfaces);
  if (met === undefined)
    throw usageError(
      `${first.name} and ${second.name} have no network in common: ` +
        `${attached(first.name, client.interfaces)}; ${attached(second.name, server.interfaces)}`,
      "choose two machines, or interfaces, with IPv4 addresses on one network",
    );
  return {
    client: { ...client.way, described: client.described, card: met[0] },
    server: { ...server.way, described: server.described, card: met[1] },
  };
}

/** Whether both are on one computer, and share its cores. Pure. */
export const onOneComputer = ({ client, server }: Between): boolean =>
  client.described.boot !== "" && client.described.boot === server.described.boot;
