// Members of groups on the machines of a lab: `proteus group join` with its lines.
//
// - What a member was told is kept: its documents in order, its acknowledged lines, what it
//   said besides. Lines are fed so that few are under way: a kill then hits the middle.

import { mainPath, type Outcome, type Running } from "./lab-runner.js";
import { type Programs, until, within } from "./programs.js";

/** A message or a change of the membership, as --json shows it. */
export interface GroupLine {
  readonly seqno: number;
  readonly member: number;
  readonly kind: "data" | "join" | "leave" | "reset";
  readonly text: string;
}

/** What `group info --json` says, as far as tests read it. */
export interface GroupInfoDocument {
  readonly name: string;
  readonly state: string;
  readonly sequencer: number;
  readonly answeredBy: number;
  readonly incarnation: number;
  readonly resilience: number;
  readonly minimum: number;
  readonly history: { readonly used: number; readonly slots: number };
  readonly members: readonly { readonly id: number; readonly state: string }[];
}

/** Hands over whole lines of text that comes in pieces. */
function byLine(take: (line: string) => void): (chunk: string) => void {
  let rest = "";
  return (chunk) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) take(line);
  };
}

const memberPattern = / as member (\d+)/;

/** A `group join --json --acks` that runs. */
export class GroupProgram {
  readonly running: Running;
  readonly got: GroupLine[] = [];
  /** Seqnos of the lines that were acknowledged, by what was in the line. */
  readonly acknowledged = new Map<string, number>();
  readonly said: string[] = [];
  /** Its member id, as it said last. */
  id = -1;
  #fed: string[] = [];
  #left: string[] = [];
  #more: (lines: number) => boolean = () => false;
  readonly #window: number;
  readonly #name: string;

  constructor(
    pool: Programs,
    readonly node: string,
    words: readonly string[],
    options: { readonly window?: number; readonly name?: string } = {},
  ) {
    this.#window = options.window ?? 100;
    this.#name = options.name ?? node;
    const command = [process.execPath, mainPath, "group", "join", ...words, "--json", "--acks"];
    this.running = pool.lab.start(["lab", "exec", node, "--", ...command], { cwd: "/", open: true });
    this.running.child.stdout?.on(
      "data",
      byLine((line) => this.got.push(JSON.parse(line) as GroupLine)),
    );
    this.running.child.stderr?.on(
      "data",
      byLine((line) => this.#said(line)),
    );
  }

  #said(line: string): void {
    if (line.startsWith('{"acknowledged":')) {
      const { acknowledged, seqno } = JSON.parse(line) as { acknowledged: number; seqno: number };
      this.acknowledged.set(this.#fed[acknowledged - 1] ?? "a line that was not sent", seqno);
      this.#feed();
      return;
    }
    this.said.push(line);
    const id = memberPattern.exec(line)?.[1];
    if (id !== undefined) this.id = Number(id);
  }

  /** Texts of the messages so far. */
  get texts(): string[] {
    return this.got.filter(({ kind }) => kind === "data").map(({ text }) => text);
  }

  /** Resolves once it is a member. */
  async joined(): Promise<this> {
    await until(
      `${this.node} to join`,
      () => {
        const { exitCode } = this.running.child;
        if (exitCode !== null) throw new Error(`it ended with ${exitCode}: ${this.said.join("\n")}`);
        return this.id >= 0 ? true : undefined;
      },
      30_000,
    );
    return this;
  }

  /** Feeds these lines, few at a time. */
  send(...lines: readonly string[]): void {
    this.#left.push(...lines);
    this.#feed();
  }

  /** Feeds numbered lines, few at a time, for as long as `more` says so. */
  sendWhile(more: (lines: number) => boolean): void {
    this.#more = more;
    this.#feed();
  }

  #feed(): void {
    const room = this.#window - (this.#fed.length - this.acknowledged.size);
    const next = this.#left.splice(0, Math.max(room, 0));
    while (next.length < room && this.#more(this.#fed.length + next.length))
      next.push(`${this.#name}:${this.#fed.length + next.length}`);
    if (next.length === 0) return;
    this.#fed.push(...next);
    this.running.child.stdin?.write(`${next.join("\n")}\n`);
  }

  /** True when all that was given to `send` was acknowledged. */
  get done(): boolean {
    return this.#left.length === 0 && this.acknowledged.size === this.#fed.length;
  }

  /** Ends it as Ctrl-C would. */
  stop(): Promise<Outcome> {
    this.running.child.kill("SIGTERM");
    return within(`the end of the member on ${this.node}`, this.running.outcome);
  }

  /** Waits until it has got a message with this text. */
  async hears(text: string, milliseconds?: number): Promise<true> {
    const heard = () => (this.texts.includes(text) ? true : undefined);
    try {
      return await until(`${this.node} to hear "${text}"`, heard, milliseconds);
    } catch (cause) {
      const last = JSON.stringify(this.got.slice(-3));
      const why = `it has heard ${this.got.length}, last ${last}, and said ${JSON.stringify(this.said)}`;
      throw new Error(`${String(cause)}: ${why}`, { cause });
    }
  }
}

/** What a member says of the group, asked from a machine. */
export async function groupInfo(pool: Programs, node: string, name: string): Promise<GroupInfoDocument> {
  const { status, stdout, stderr } = await pool.run(node, "group", "info", name, "--json");
  if (status !== 0) throw new Error(`group info ended with ${status}\n${stderr}`);
  return JSON.parse(stdout) as GroupInfoDocument;
}
