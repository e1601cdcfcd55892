// What a look-up gives: a capability set with at most the rights that the masks of a row allow.
//
// - Directories of this server are restricted here. Another server's capability is taken as it is
//   when it has no more rights; else its server is asked (RESTRICT). The original computed the
//   restriction of capabilities with all rights itself: with keyed check fields nobody but
//   the server can.
// - What a server answered is remembered, for the ENTRIES_MOST asked for last: RESTRICT answers
//   the same again.
// - Who cannot be asked falls out of the set; when nobody is left the look-up is refused.

import { SP_UNREACH } from "../../../core-wasm/status.js";
import { type Capability, capabilityHex } from "../../capability/capability.js";
import { claims } from "../../capability/private-part.js";
import { Recent } from "../../capability/recent.js";
import type { CapabilityScheme } from "../../capability/scheme.js";
import type { CapabilitySet } from "../../capability/set.js";
import { anyServer } from "../../interface/standard.js";
import { trans } from "../../kernel/calls.js";
import { ProteusError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { Refused } from "../../stub/refused.js";

const entriesMost = 4096;
const callOptions = { locateTimeoutMs: 1000, deadMs: 2000, replyBytesMax: 64 };

export class Narrowing {
  readonly #kernel: Kernel;
  readonly #scheme: CapabilityScheme;
  readonly #isOwn: (port: Uint8Array) => boolean;
  readonly #known = new Recent<string, Capability>(entriesMost);

  constructor(kernel: Kernel, scheme: CapabilityScheme, isOwn: (port: Uint8Array) => boolean) {
    this.#kernel = kernel;
    this.#scheme = scheme;
    this.#isOwn = isOwn;
  }

  /** The set with at most these rights; at once where nobody must be asked. Refuses with SP_UNREACH. */
  narrow(set: CapabilitySet, allowed: number): CapabilitySet | Promise<CapabilitySet> {
    if (set.members.every(({ capability }) => isWithin(capability, allowed))) return set;
    const narrowed = set.members.map(({ capability }) => this.#narrowOne(capability, allowed));
    if (!narrowed.some((each) => each instanceof Promise)) return withMembers(set, narrowed as Capability[]);
    return Promise.all(narrowed).then((all) => withMembers(set, all));
  }

  #narrowOne(capability: Capability, allowed: number): Capability | Promise<Capability | null> {
    const { port, private: part } = capability;
    if (isWithin(capability, allowed)) return capability;
    if (this.#isOwn(port)) {
      const restricted = this.#scheme.restrict(part, allowed);
      // A directory that is gone: its capability is good for nothing anyway.
      return typeof restricted === "number" ? capability : { port, private: restricted };
    }
    return this.#known.get(keyOf(capability, allowed)) ?? this.#ask(capability, allowed);
  }

  async #ask(capability: Capability, allowed: number): Promise<Capability | null> {
    const { port, private: part } = capability;
    const header = { port, private: part, command: anyServer.restrict.number, offset: allowed };
    try {
      const reply = await trans(this.#kernel, header, undefined, callOptions);
      if (reply.header.status < 0) return null;
      const restricted = { port, private: reply.header.private };
      this.#known.set(keyOf(capability, allowed), restricted);
      return restricted;
    } catch (error) {
      if (error instanceof ProteusError) return null;
      throw error;
    }
  }
}

const isWithin = (capability: Capability, allowed: number): boolean =>
  (claims(capability.private).rights & ~allowed & 0xff) === 0;

const keyOf = (capability: Capability, allowed: number): string => `${capabilityHex(capability)}${allowed}`;

function withMembers(set: CapabilitySet, changed: readonly (Capability | null)[]): CapabilitySet {
  const members = set.members.flatMap(({ current }, index) => {
    const capability = changed[index];
    return capability === null || capability === undefined ? [] : [{ capability, current }];
  });
  if (members.length === 0 && set.members.length > 0) throw new Refused(SP_UNREACH);
  return { initial: set.initial, final: members.length, members };
}
