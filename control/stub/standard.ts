// The standard operations of every server that has a table: written once, here.
//
// - A server says what its objects are in words, how one is destroyed and copied, and which
//   parameters it has; the rest (restrict, touch, age) is the same for all.
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
import { PRIVATE_BYTES } from "../../core-wasm/wire/formats.js";
import type { Capability } from "../capability/capability.js";
import { claims } from "../capability/private-part.js";
import type { CapabilityScheme } from "../capability/scheme.js";
import type { StandardOperations } from "../interface/standard.js";
import type { Objects } from "./objects.js";
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
  readonly destroy?: (value: Value) => void;
  /** Makes a new object from one that may be elsewhere. */
  readonly copy?: (source: Capability) => Capability | Promise<Capability>;
  readonly parameters?: readonly Parameter[];
}

const lifetimeMost = 255;

/** How long objects live: the one parameter that every server has. */
function lifetime(objects: Objects<unknown>): Parameter {
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

const encoder = new TextEncoder();

function cut(text: string, bytesMax: number): string {
  if (bytesMax === 0) return text;
  const bytes = encoder.encode(text);
  // A character that was cut in two is left out.
  return bytes.length <= bytesMax
    ? text
    : new TextDecoder().decode(bytes.subarray(0, bytesMax), { stream: true });
}

/** The handlers of the standard operations. */
export function standardHandlers<Value>(
  objects: Objects<Value>,
  scheme: CapabilityScheme,
  behaviour: StandardBehaviour<Value>,
  own: (privatePart: Uint8Array) => Capability,
  touchMask: number,
): Handlers<StandardOperations, Value> {
  const parameters = [lifetime(objects), ...(behaviour.parameters ?? [])];
  const destroy = (object: number): void => {
    const value = objects.get(object);
    if (value === undefined) return;
    behaviour.destroy?.(value);
    objects.remove(object);
  };
  return {
    info: ({ value }, { most }) => ({ text: cut(behaviour.info(value), most) }),
    status: ({ value }) => ({ text: behaviour.status?.(value) ?? `objects ${objects.count}` }),
    restrict({ private: part }, { mask }) {
      const restricted = scheme.restrict(part, mask & 0xff);
      if (typeof restricted === "number") refuse(STD_CAPBAD);
      return { capability: own(restricted) };
    },
    touch: ({ object }) => {
      objects.touch(object);
      return {};
    },
    ntouch(_asked, { count, objects: parts }) {
      const sent = parts.length / PRIVATE_BYTES;
      if (!Number.isInteger(sent) || (count !== 0 && count !== sent)) refuse(STD_ARGBAD);
      let touched = 0;
      let failure = STD_OK;
      for (let at = 0; at < parts.length; at += PRIVATE_BYTES) {
        const part = parts.subarray(at, at + PRIVATE_BYTES);
        const rights = scheme.verify(part);
        if (rights < 0) failure = STD_CAPBAD;
        else if ((rights & touchMask) !== touchMask) failure = STD_DENIED;
        else {
          objects.touch(claims(part).object);
          touched++;
        }
      }
      if (failure !== STD_OK) throw new Refused(failure, touched);
      return { touched };
    },
    age() {
      for (const object of objects.grow()) {
        try {
          destroy(object);
        } catch (error) {
          if (!(error instanceof Refused)) throw error; // in use: it goes at a later AGE
        }
      }
      return {};
    },
    destroy({ object }) {
      destroy(object);
      return {};
    },
    async copy(_asked, { source }) {
      if (behaviour.copy === undefined) refuse(STD_COMBAD);
      return { copy: await behaviour.copy(source) };
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
