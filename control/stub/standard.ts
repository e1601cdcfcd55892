// The standard operations of every server that has a table: written once, here.
//
// - A server says what its objects are in words, how one is destroyed and copied, and which
//   parameters it has; the rest (restrict, revoke, touch, age) is the same for all.
// - Without `copy` COPY is answered with STD_COMBAD; so is DESTROY of a server itself.
// - SETPARAMS sets all of them or none: each is judged before the first is set.

import {
  STD_ARGBAD,
  STD_CAPBAD,
  STD_COMBAD,
  STD_DENIED,
  STD_NOTFOUND,
  STD_OK,
} from "../../core-wasm/status.js";
import { OBJECT_MAX, PRIVATE_BYTES, RIGHTS_ALL } from "../../core-wasm/wire/formats.js";
import type { Capability } from "../capability/capability.js";
import { claims } from "../capability/private-part.js";
import type { CapabilityScheme } from "../capability/scheme.js";
import type { StandardOperations } from "../interface/standard.js";
import type { Admission } from "./admission.js";
import type { ObjectTable } from "./objects.js";
import { Refused, refuse } from "./refused.js";
import type { Handlers } from "./serving.js";

/** Something of a server that can be set while it runs. */
export interface Parameter {
  readonly name: string;
  /** For people: `count from 1 to 255`. */
  readonly type: string;
  readonly meaning: string;
  readonly read: () => string;
  /** What sets it to the value, or undefined when it cannot be that. */
  readonly accept?: (value: string) => (() => void) | undefined;
}

/** What standard operations come to on one server. */
export interface StandardBehaviour<Value> {
  /** A line that says what an object is; without an object, the server. */
  readonly info: (value: Value | undefined) => string;
  /** How the server, or one of its objects, fares. */
  readonly status?: (value: Value | undefined) => string;
  /** Gives back what an object holds; it is gone afterwards. It may refuse. */
  readonly destroy?: (value: Value) => void | Promise<void>;
  /** Makes a new object from one that may be elsewhere; `source` is who asks. */
  readonly copy?: (original: Capability, source: bigint) => Capability | Promise<Capability>;
  readonly parameters?: readonly Parameter[];
}

const lifetimeMost = 255;

/** How long objects live: the one parameter that every server has. */
function lifetime(objects: Pick<ObjectTable<unknown>, "lifetime">): Parameter {
  return {
    name: "lifetime",
    type: `count from 1 to ${lifetimeMost}`,
    meaning: "times that AGE may come over an object without TOUCH",
    read: () => String(objects.lifetime),
    accept(value) {
      const count = /^\d{1,3}$/.test(value) ? Number(value) : 0;
      if (count < 1 || count > lifetimeMost) return undefined;
      return () => {
        objects.lifetime = count;
      };
    },
  };
}

/** Of one answer: as many as fit into every server's. */
const agesMost = 1024;
/** Numbers that are looked at for one answer. */
const numbersMost = 262_144;

/** The ages of objects from a number on, and where to go on. */
function agesFrom(objects: Pick<ObjectTable<unknown>, "age" | "highest">, first: number, least: number) {
  const aged: { object: number; age: number }[] = [];
  const from = Math.max(1, first);
  const last = Math.min(objects.highest, OBJECT_MAX);
  const end = Math.min(from + numbersMost, last + 1);
  let next = from;
  for (; next < end && aged.length < agesMost; next++) {
    const is = objects.age(next);
    if (is !== undefined && is >= least) aged.push({ object: next, age: Math.min(is, 0xff) });
  }
  return { next: next > last ? 0 : next, objects: aged };
}

const encoder = new TextEncoder();

function cut(text: string, bytesMax: number): string {
  if (bytesMax === 0) return text;
  const bytes = encoder.encode(text);
  // A character that was cut in two is left out.
  return bytes.length <= bytesMax
    ? text
    : new TextDecoder().decode(bytes.subarray(0, bytesMax), { stream: true });
}

/** What the standard operations need of a server. */
interface Standing<Value> {
  readonly objects: ObjectTable<Value>;
  readonly scheme: CapabilityScheme;
  readonly admission: Admission;
  readonly behaviour: StandardBehaviour<Value>;
  /** The capability of a private part. */
  readonly own: (privatePart: Uint8Array) => Capability;
  /** Rights that TOUCH takes. */
  readonly touchMask: number;
}

/** The handlers of the standard operations. */
export function standardHandlers<Value>(standing: Standing<Value>): Handlers<StandardOperations, Value> {
  const { objects, scheme, admission, behaviour, own, touchMask } = standing;
  const parameters = [lifetime(objects), ...(behaviour.parameters ?? [])];
  const destroy = async (object: number): Promise<void> => {
    const value = objects.get(object);
    if (value === undefined) return;
    const ended = behaviour.destroy?.(value);
    if (ended instanceof Promise) await ended; // else nobody finds it any more from here on
    await objects.remove(object);
  };
  return {
    info: ({ value }, { most }) => ({ text: cut(behaviour.info(value), most) }),
    status: ({ value }) => ({ text: behaviour.status?.(value) ?? `objects ${objects.count}` }),
    restrict({ private: part }, { mask }) {
      const restricted = scheme.restrict(part, mask & 0xff);
      if (typeof restricted === "number") refuse(STD_CAPBAD);
      return { capability: own(restricted) };
    },
    async touch({ object }) {
      await objects.touch(object);
      return {};
    },
    async ntouch({ source }, { count, objects: parts }) {
      const sent = parts.length / PRIVATE_BYTES;
      if (!Number.isInteger(sent) || (count !== 0 && count !== sent)) refuse(STD_ARGBAD);
      const touched: unknown[] = [];
      let failure = STD_OK;
      for (let at = 0; at < parts.length; at += PRIVATE_BYTES) {
        const part = parts.subarray(at, at + PRIVATE_BYTES);
        const rights = admission.rights(part, { source });
        if (rights < 0) failure = rights;
        else if ((rights & touchMask) !== touchMask) failure = STD_DENIED;
        else touched.push(objects.touch(claims(part).object));
      }
      await Promise.all(touched);
      if (failure !== STD_OK) throw new Refused(failure, touched.length);
      return { touched: touched.length };
    },
    async age() {
      for (const object of objects.grow()) {
        // Others were waited for: a TOUCH that was answered meanwhile counts.
        if ((objects.age(object) ?? objects.lifetime + 1) <= objects.lifetime) continue;
        try {
          await destroy(object);
        } catch (error) {
          if (!(error instanceof Refused)) throw error; // in use: it goes at a later AGE
        }
      }
      return {};
    },
    async destroy({ object }) {
      await destroy(object);
      return {};
    },
    ages: (_asked, { first, least }) => ({ lifetime: objects.lifetime, ...agesFrom(objects, first, least) }),
    async revoke({ object }) {
      await objects.renew(object);
      const made = scheme.make(object, RIGHTS_ALL);
      if (typeof made === "number") refuse(STD_CAPBAD); // it was destroyed meanwhile
      return { capability: own(made) };
    },
    async copy({ source: who }, { source }) {
      if (behaviour.copy === undefined) refuse(STD_COMBAD);
      return { copy: await behaviour.copy(source, who) };
    },
    getparams() {
      const told = parameters.map(({ name, type, meaning, read }) => ({
        name,
        type,
        meaning,
        value: read(),
      }));
      return { count: told.length, parameters: told };
    },
    setparams(_asked, { count, settings }) {
      if (count !== 0 && count !== settings.length) refuse(STD_ARGBAD);
      const set = settings.map(({ name, value }) => {
        const parameter = parameters.find((each) => each.name === name);
        if (parameter === undefined) refuse(STD_NOTFOUND);
        return parameter.accept?.(value) ?? refuse(STD_ARGBAD);
      });
      for (const each of set) each();
      return {};
    },
  };
}
