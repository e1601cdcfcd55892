// What a Linux machine's agent is told by the kernel's command line, in the words that a metal machine
// understands: name=, pool=, network=. Pure.
//
// - network= lists MAC addresses in the order of the machine's networks. Without it, and where it names
//   none that is there, all Ethernet interfaces are meant, in the order of their names.
// - A quarter of the memory is the kernel's (FLIP's), at most what an agent takes by itself.

export interface LinuxInterface {
  readonly name: string;
  /** With colons. */
  readonly mac: string;
}

const mebibyte = 1024 * 1024;
const memoryMost = 256 * mebibyte;
const memoryLeast = 16 * mebibyte;

/** The value of a word of the command line; the first counts: who boots it says so before others. */
export function wordOf(line: string, key: string): string | undefined {
  const word = line.split(/\s+/).find((each) => each.startsWith(`${key}=`));
  return word === undefined || word.length === key.length + 1 ? undefined : word.slice(key.length + 1);
}

/** The interfaces that it opens. */
export function interfacesOf(line: string, there: readonly LinuxInterface[]): readonly string[] {
  const sorted = [...there].sort((a, b) => (a.name < b.name ? -1 : 1));
  const wanted = (wordOf(line, "network") ?? "").toLowerCase().split(",");
  const named = wanted.flatMap((mac) => sorted.find((each) => each.mac.toLowerCase() === mac)?.name ?? []);
  return named.length > 0 ? named : sorted.map(({ name }) => name);
}

/** The words of `proteus` for a machine with these interfaces and so much memory, in bytes. */
export function agentWords(
  line: string,
  there: readonly LinuxInterface[],
  memory: number,
  readyFile: string,
): string[] {
  const name = wordOf(line, "name");
  const pool = wordOf(line, "pool");
  const bytes = Math.max(memoryLeast, Math.min(memoryMost, Math.floor(memory / 4 / mebibyte) * mebibyte));
  return [
    ...["node", "start", "--ready-file", readyFile, "--memory", `${bytes / mebibyte}M`],
    ...(name === undefined ? [] : ["--name", name]),
    ...(pool === undefined ? [] : ["--pool", pool]),
    ...interfacesOf(line, there).flatMap((each) => ["--interface", each]),
  ];
}

/** The line of the console that says that it serves, as a metal machine has it; nothing private in it. */
export function servesText(ready: string): string {
  const { name, address, echo, status, interfaces } = JSON.parse(ready) as Record<string, unknown>;
  const servers = { echo, sys: status };
  return `serves ${JSON.stringify({ name, address, kind: "pool", servers, interfaces })}`;
}
