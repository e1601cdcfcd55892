// `proteus group join`: a member of a group at a shell. Lines of standard input go to the
// group, messages of the group come out, one line each, the same everywhere.
//
// - The replicated state is nothing but which lines were delivered (control/group/sessions.ts):
//   a line that a crash left open goes out again and is delivered once.
// - Standard input waits when many lines are under way, deliveries wait when nobody reads
//   the output: a member that stands still itself would be taken for dead.

import { randomBytes } from "node:crypto";
import type { GroupWishes } from "../group/configuration.js";
import { Replica, type ReplicaEvent, type StateMachine } from "../group/replica.js";
import type { After } from "../group/timer.js";
import { exitCodes } from "../kernel/errors.js";
import type { GroupParameters } from "../kernel/groups.js";
import { startKernel } from "../node/start.js";
import { RosterServer } from "../server/group/roster.js";
import { untilStopped } from "./foreground.js";
import { LineReader, LineWriter } from "./lines.js";
import { narrate } from "./output.js";
import { kernelBytes } from "./package-files.js";

export interface JoinOptions {
  readonly name: string;
  readonly port: Uint8Array;
  readonly create: boolean;
  readonly parameters: GroupParameters;
  readonly wishes: GroupWishes;
  readonly detectMs: number;
  readonly interfaces: readonly string[];
  readonly json: boolean;
  readonly acks: boolean;
  readonly exitAtEof: boolean;
}

const limits = { memoryBytes: 96 * 1024 * 1024, groupBytes: 24 * 1024 * 1024 };
/** Lines that were read and not yet delivered. */
const linesMax = 512;
/** How long the end waits for lines that are under way. */
const farewellMs = 2000;

const after: After = (milliseconds, action) => {
  const timer = setTimeout(action, milliseconds);
  return () => clearTimeout(timer);
};

const decoder = new TextDecoder();

/** Runs until it is told to stop; sets the exit code when lines were refused. */
export async function joinGroup(options: JoinOptions): Promise<void> {
  const stopped = untilStopped();
  const running = await startKernel({
    prompt: true,
    wasm: kernelBytes(),
    interfaces: options.interfaces,
    say: narrate,
    failed: stopped.fail,
    limits,
  });
  try {
    await new Session(options, stopped).run(running.kernel);
    await running.finish();
  } finally {
    running.close();
  }
}

/** One run of the command. */
class Session {
  readonly #options: JoinOptions;
  readonly #stopped: ReturnType<typeof untilStopped>;
  readonly #output = new LineWriter(process.stdout);
  readonly #errors = new LineWriter(process.stderr);
  #reader: LineReader | null = null;
  #waiting = 0;
  #ended = false; // the input
  #finish: () => void = () => undefined;

  constructor(options: JoinOptions, stopped: ReturnType<typeof untilStopped>) {
    this.#options = options;
    this.#stopped = stopped;
  }

  async run(kernel: Parameters<typeof Replica.open>[0]["kernel"]): Promise<void> {
    const { name, port, create, parameters, wishes, detectMs } = this.#options;
    const lost = new Promise<never>((_, reject) => {
      this.#lost = reject;
    });
    lost.catch(() => undefined);
    const opening = Replica.open({
      ...{ kernel, after, random: randomBytes, port, name, create, parameters, wishes, detectMs, open: true },
      machine: this.#machine,
      event: (event) => this.#event(event),
      pace: () => this.#output.full(),
      ended: (why) => {
        if (why !== null) this.#lost(why);
      },
    });
    opening.catch(() => undefined);
    const replica = await Promise.race([opening, this.#stopped.promise]);
    if (replica === undefined) {
      opening.then((late) => late.close()).catch(() => undefined);
      return;
    }
    const describe = () => replica.describe();
    const roster = new RosterServer({ kernel, port, describe, failed: this.#stopped.fail });
    roster.claim().catch(this.#stopped.fail);
    const allSent = new Promise<void>((resolve) => {
      this.#finish = resolve;
    });
    try {
      this.#read(replica);
      await Promise.race([this.#stopped.promise, lost, allSent]);
      this.#reader?.close();
      await this.#farewell(replica);
    } finally {
      this.#reader?.close();
      roster.close();
      this.#output.flush();
      this.#errors.flush();
    }
  }

  #lost: (why: unknown) => void = () => undefined;

  // ---- in ------------------------------------------------------------------------

  #read(replica: Replica): void {
    const reader = new LineReader(process.stdin, () => replica.commandBytesMax || Number.MAX_SAFE_INTEGER, {
      line: (bytes, number) => this.#submit(replica, bytes, number),
      tooLong: (number, length) => {
        this.#refuse(
          number,
          `it has ${length} bytes, the group's largest message ${replica.commandBytesMax}`,
        );
      },
      end: () => {
        this.#ended = true;
        this.#settled();
      },
      failed: this.#stopped.fail,
    });
    this.#reader = reader;
  }

  #submit(replica: Replica, bytes: Uint8Array, number: number): void {
    this.#waiting++;
    this.#reader?.pause(this.#waiting >= linesMax);
    replica.submit(bytes).then(
      ({ seqno }) => {
        if (this.#options.acks) this.#acknowledge(number, seqno);
        this.#settled(1);
      },
      (error: unknown) => {
        // That the group is lost is said once, by the command's own error.
        if (!this.#over) this.#refuse(number, error instanceof Error ? error.message : String(error));
        this.#settled(1);
      },
    );
  }

  #over = false;

  #settled(lines = 0): void {
    this.#waiting -= lines;
    this.#reader?.pause(this.#waiting >= linesMax);
    if (this.#ended && this.#waiting === 0 && this.#options.exitAtEof) this.#finish();
  }

  #acknowledge(line: number, seqno: number): void {
    const { json } = this.#options;
    this.#errors.write(
      json ? JSON.stringify({ acknowledged: line, seqno }) : `acknowledged ${line} ${seqno}`,
    );
  }

  #refuse(number: number, why: string): void {
    this.#errors.write(`proteus: line ${number} was not sent\n  why:       ${why}`);
    process.exitCode = exitCodes.failed;
  }

  /** Leaves, once what is under way has been delivered or has had its time. */
  async #farewell(replica: Replica): Promise<void> {
    this.#over = true;
    const deadline = performance.now() + farewellMs;
    while (this.#waiting > 0 && performance.now() < deadline)
      await new Promise<void>((resolve) => after(10, resolve));
    if (this.#waiting > 0) {
      this.#errors.write(`proteus: ${this.#waiting} lines were not acknowledged`);
      process.exitCode = exitCodes.failed;
    }
    await replica.leave();
  }

  // ---- out -----------------------------------------------------------------------

  readonly #machine: StateMachine = {
    apply: (line, seqno, member) => {
      if (this.#options.json) {
        const text = decoder.decode(line);
        this.#output.write(JSON.stringify({ seqno, member, kind: "data", text }));
      } else {
        this.#output.write(oneLine(line));
      }
      return new Uint8Array(0);
    },
    snapshot: () => new Uint8Array(0),
    restore: () => undefined,
  };

  #event(event: ReplicaEvent): void {
    const { name, create, json } = this.#options;
    switch (event.kind) {
      case "join":
      case "leave":
      case "reset": {
        const { kind, seqno, member, members } = event;
        if (json) this.#output.write(JSON.stringify({ seqno, member, kind, text: "" }));
        else this.#errors.write(`${said[kind](member)}; members now ${members.join(", ")}`);
        break;
      }
      case "joined": {
        const as = `member ${event.member} of group ${name}`;
        const exists = create
          ? `group ${name} exists already: joined as member ${event.member}`
          : `joined as ${as}`;
        this.#errors.write(event.created ? `created as ${as}` : exists);
        break;
      }
      case "recovering":
        this.#errors.write("a member does not answer: the group recovers");
        break;
      case "recovered":
        break; // the reset that follows says it
      case "cutOff":
        this.#errors.write("cut off from the group: joining again");
        break;
    }
  }
}

const said = {
  join: (member: number) => `member ${member} joined`,
  leave: (member: number) => `member ${member} left`,
  reset: (member: number) => `the group was reset by member ${member}`,
};

/** A message of another program may have newlines in it: then they are shown as \n. */
function oneLine(bytes: Uint8Array): Uint8Array {
  if (!bytes.includes(0x0a)) return bytes;
  return Buffer.from(Buffer.from(bytes).toString("latin1").replaceAll("\n", "\\n"), "latin1");
}
