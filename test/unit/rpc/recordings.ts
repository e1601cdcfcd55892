// A recorded conversation of the original, played to a real kernel at its frame boundary.
//
// - The kernel takes the place of one of the two machines; the other one's recorded frames
//   are sent to it, rewritten only where they name what is new at every boot: MAC and FLIP
//   address, thread index, and what echoes a time stamp or message id of ours.
// - Each frame of ours is compared with the recorded one in every field that the protocol
//   fixes. HELLO and further CREDITs are ours to add; an original drops or adds them.
// - Frames that the recorded machine sent and lost show as gaps in its message ids: there
//   we send one too, and it has no effect.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../../control/cli/package-files.js";
import { fromHex, toHex } from "../../../control/kernel/bytes.js";
import { encodeFrame } from "../../../control/kernel/encode.js";
import type { Dissection } from "../../../control/kernel/wire.js";
import { layersOf, reader } from "../../simulation/pairs.js";

export interface RecordedFrame {
  readonly dir: "tx" | "rx";
  readonly ms: number;
  readonly layers: Dissection;
}

export interface RawFrame {
  readonly dir: "tx" | "rx";
  readonly ms: number;
  readonly hex: string;
}

/** The frames of a recording as they were on the wire. */
export function rawFrames(name: string): readonly RawFrame[] {
  const path = join(packageRoot, "test", "vectors", "captures", `${name}.json`);
  return (JSON.parse(readFileSync(path, "utf8")) as { frames: readonly RawFrame[] }).frames;
}

export function recording(name: string): readonly RecordedFrame[] {
  return rawFrames(name).map(({ dir, ms, hex }) => ({
    dir,
    ms,
    layers: layersOf(fromHex(hex) ?? new Uint8Array()),
  }));
}

/** The messages of one RPC type in a direction, whole: header, and the data of all fragments. */
export function messages(frames: readonly RecordedFrame[], dir: "tx" | "rx", type: string) {
  const firsts = frames.filter((frame) => frame.dir === dir && frame.layers.rpc?.type === type);
  const unique = firsts.filter(({ layers }, index) => {
    return firsts.findIndex((other) => other.layers.rpc?.tid === layers.rpc?.tid) === index;
  });
  return unique.map(({ layers }) => {
    const rest = frames.filter((frame) => {
      const { flip } = frame.layers;
      return frame.dir === dir && flip?.messid === layers.flip?.messid && (flip?.offset ?? 0) > 0;
    });
    const data = [layers, ...rest.map((frame) => frame.layers)].map((each) => each.data ?? "").join("");
    return { header: layers.header, tid: layers.rpc?.tid, data: fromHex(data) ?? new Uint8Array() };
  });
}

/** A port and a private part mean the same in both; only the fields that a type uses are compared. */
const withPort = new Set(["LOCATE", "HEREIS", "REQUEST"]);
const secure = new Set(["REQUEST", "REPLY", "LOCATE", "HEREIS"]);

/** What the protocol fixes of a frame, for comparison. */
function fixed({ fragment, flip, rpc, header, data }: Dissection): Record<string, unknown> {
  const type = rpc?.type;
  return {
    control: fragment?.type,
    flip: flip?.type,
    flags: type === undefined || secure.has(type) ? flip?.flags : undefined,
    hops: [flip?.act_hop, flip?.max_hop],
    size: [flip?.length, flip?.offset, flip?.total],
    toEveryone: /^0+$/.test(flip?.dst ?? ""),
    protocol: flip?.proto,
    type,
    rpcFlags: rpc?.flags,
    tid: type === "LOCATE" || type === "HEREIS" ? undefined : rpc?.tid,
    port: type !== undefined && withPort.has(type) ? rpc?.port : undefined,
    header,
    data,
  };
}

/** A network on which a recording is played; S: who sends on it. */
export interface Wire<S> {
  socket(name: string, mac: Uint8Array, wake: () => void): S;
  carry(sender: S, frame: Uint8Array): void;
  tap: ((frame: Uint8Array, from: string) => void) | null;
}

/** Whose kernel takes the place of a recorded machine. */
export interface Player {
  readonly name: string;
  readonly running: { readonly address: Uint8Array };
  readonly sockets: readonly { readonly mac: Uint8Array }[];
}

export class Replay<S> {
  /** Pairs of what we sent and what the recorded machine sent. */
  readonly compared: { readonly ours: object; readonly recorded: object }[] = [];
  /** Frames of ours that nobody recorded. */
  readonly surplus: string[] = [];
  lost = 0;
  readonly #socket: S;
  readonly #ownAddress: string;
  #next = 0;
  #gaps = 0;
  #messageId: number | undefined;
  #locate: { readonly tid: number; readonly messid: number } = { tid: 0, messid: 0 };
  #thread = 0;

  constructor(
    readonly world: { after(microseconds: number, action: () => void): void },
    readonly lan: Wire<S>,
    readonly ours: Player,
    readonly frames: readonly RecordedFrame[],
    /** Whose place our kernel takes. */
    readonly place: "tx" | "rx",
    /** Where ours serves what was recorded at another port: that one, and this, in hex. */
    readonly ports: { readonly recorded: string; readonly ours: string } = { recorded: "", ours: "" },
  ) {
    this.#socket = lan.socket("recorded", this.#mac(place === "tx" ? "rx" : "tx"), () => {});
    this.#ownAddress = toHex(ours.running.address);
    lan.tap = (frame, by) => {
      if (by === ours.name) this.#heard(layersOf(frame));
    };
  }

  get done(): boolean {
    return this.#next >= this.frames.length;
  }

  /** Plays what comes before our first frame. */
  start(): void {
    this.#play(this.frames[0]?.ms ?? 0);
  }

  #of(dir: "tx" | "rx"): Dissection {
    const found = this.frames.find((frame) => frame.dir === dir && frame.layers.flip?.type === "UNIDATA");
    if (found === undefined) throw new Error("a recording has frames both ways");
    return found.layers;
  }

  #mac(dir: "tx" | "rx"): Uint8Array {
    return fromHex(this.#of(dir).ethernet?.src ?? "") ?? new Uint8Array(6);
  }

  /** Sends the recorded machine's frames up to our next one, in their own time. */
  #play(since: number): void {
    for (; this.#next < this.frames.length; this.#next++) {
      const frame = this.frames[this.#next] as RecordedFrame;
      if (frame.dir === this.place) return;
      this.world.after((frame.ms - since) * 1000 + 10, () => {
        this.lan.carry(this.#socket, encodeFrame(reader, this.#rewritten(frame.layers)));
      });
    }
  }

  #rewritten(layers: Dissection): Dissection {
    const { ethernet, flip, rpc } = layers;
    if (ethernet === undefined || flip === undefined) throw new Error("only FLIP packets are played");
    const recordedOwn = this.#of(this.place).flip?.src;
    const address = (given: string): string => (given === recordedOwn ? this.#ownAddress : given);
    const everyone = ethernet.dst === "ffffffffffff";
    const mac = toHex(this.ours.sockets[0]?.mac ?? new Uint8Array());
    const messid = flip.type === "HEREIS" ? this.#locate.messid : flip.messid;
    return {
      ...layers,
      ethernet: { ...ethernet, dst: everyone ? ethernet.dst : mac },
      flip: { ...flip, dst: address(flip.dst), src: address(flip.src), messid },
      ...(rpc && {
        rpc: {
          ...rpc,
          port: rpc.port === this.ports.recorded ? this.ports.ours : rpc.port,
          tid: rpc.type === "HEREIS" ? this.#locate.tid : rpc.tid,
          dest: rpc.type === "REQUEST" || rpc.type === "LOCATE" ? rpc.dest : this.#thread,
        },
      }),
    };
  }

  /** A frame of ours. */
  #heard(ours: Dissection): void {
    const type = ours.fragment?.type;
    if (type === "HELLO" || type === "CREDIT") return;
    if (ours.rpc !== undefined) this.#thread = ours.rpc.from;
    if (ours.flip?.type === "LOCATE" || ours.rpc?.type === "LOCATE") {
      this.#locate = { tid: ours.rpc?.tid ?? 0, messid: ours.flip?.messid ?? 0 };
    }
    const recorded = this.frames[this.#next];
    if (recorded === undefined) {
      this.surplus.push(ours.rpc?.type ?? type ?? "?");
      return;
    }
    const messageId = recorded.layers.flip?.messid ?? 0;
    if (this.#messageId !== undefined) this.#gaps = Math.max(0, messageId - this.#messageId - 1);
    if (this.place === "tx" && this.#gaps > 0) {
      this.#messageId = messageId - this.#gaps;
      this.lost++;
      return;
    }
    this.#messageId = messageId;
    this.compared.push({ ours: fixed(ours), recorded: fixed(recorded.layers) });
    this.#next++;
    this.#play(recorded.ms);
  }
}
