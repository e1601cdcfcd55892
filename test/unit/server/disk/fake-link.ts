// The ways of servers to members, in virtual time: what every member of these tests is reached by.
//
// - A link has delays of its own, may lose requests and answers, and sends copies that come late.
// - What a member answers after it was off in between does not arrive; who asked learns, as over RPC,
//   that there is no answer, also when the medium never ends what the member was at.

import { DiskError } from "../../../../control/server/disk/errors.js";
import type { MemberPort } from "../../../../control/server/disk/member/port.js";
import type { MemberRecord } from "../../../../control/server/disk/member/record.js";
import type { SeededRandom } from "../../../../drivers/fault/random.js";
import type { VirtualTime } from "./virtual-time.js";

/** One server's way to one member. */
export interface FakeLink {
  isCut: boolean;
  /** Shares of requests, and of answers, that are lost. */
  loss: number;
  minMs: number;
  maxMs: number;
  /** Share of writes of which a copy comes up to so much later. */
  copies: number;
  lateMs: number;
}

export const goodLink = (): FakeLink => ({
  isCut: false,
  loss: 0,
  minMs: 0.1,
  maxMs: 1,
  copies: 0,
  lateMs: 3000,
});

/** A member that servers reach by links. */
export abstract class Reachable {
  isOn = true;
  #life = 0;
  /** Of calls that this life is at. */
  readonly #ends = new Set<() => void>();

  constructor(
    readonly time: VirtualTime,
    readonly random: SeededRandom,
  ) {}

  /** Counts: what began in an earlier life is not answered any more. */
  protected get life(): number {
    return this.#life;
  }

  protected set life(life: number) {
    this.#life = life;
    for (const end of this.#ends) end();
    this.#ends.clear();
  }

  abstract get record(): MemberRecord | null;
  abstract crash(): void;
  abstract start(): void;
  /** Its medium is changed for an empty one, with room for so many blocks of a storage; none: as many as before. */
  abstract blank(blocks?: number): void;
  /** The flush that comes next fails. */
  abstract failFlush(): void;
  abstract rot(block: number): void;
  abstract stored(block: number): { readonly data: Uint8Array };
  abstract port(link: FakeLink): MemberPort;

  protected async call<T>(link: FakeLink, work: () => T | Promise<T>, isCopied: boolean): Promise<T> {
    const delay = () => link.minMs + (this.random.below(1000) / 1000) * (link.maxMs - link.minMs);
    const lost = async (): Promise<never> => {
      await this.time.pause(700);
      throw new DiskError("DISK_SILENT", "no answer");
    };
    if (isCopied && this.random.chance(link.copies)) {
      const late = this.random.below(link.lateMs);
      this.time.after(late, () => {
        if (this.isOn && !link.isCut)
          void Promise.resolve()
            .then(work)
            .catch(() => undefined);
      });
    }
    await this.time.pause(delay());
    if (link.isCut || !this.isOn || this.random.chance(link.loss)) return lost();
    const life = this.life;
    let answer: T | undefined;
    let error: unknown = null;
    let end = (): void => undefined;
    const isOver = new Promise<undefined>((resolve) => {
      end = () => resolve(undefined);
    });
    this.#ends.add(end);
    try {
      answer = await Promise.race([work(), isOver]);
    } catch (cause) {
      error = cause;
    }
    this.#ends.delete(end);
    await this.time.pause(delay());
    if (link.isCut || !this.isOn || life !== this.life || this.random.chance(link.loss)) return lost();
    if (error !== null) throw error;
    return answer as T;
  }
}
