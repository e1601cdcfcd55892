// The standard operations: what every server answers, under the original's numbers. `echo` is
// the exception: it sends back whatever it gets.
//
// - A server's table says which rights each takes there; the rest is the same everywhere, and
//   so is the code (control/stub/standard.ts).
// - AGE makes all objects a step older, TOUCH makes one young again; an object that has not
//   been touched for its lifetime is destroyed. That is the garbage collection. NTOUCH touches
//   many: each private part is judged as TOUCH would, so it takes no rights of its own.
// - REVOKE and AGES are ours: the original revokes by making a new object, and tells no ages.
// - Source: Amoeba 5 stdcom.h, std_* (manual section L).

import { inBuffer, inExtra, inOffset, inPrivate, inSize } from "./fields.js";
import { type Operation, operation } from "./operation.js";
import { bytes, capability, record, sequence, string, text, uint8, uint32 } from "./types.js";

/** One parameter of a server, as GETPARAMS tells it. */
export const parameter = record({
  name: string(),
  type: string(),
  meaning: string(1024),
  value: string(1024),
});

/** An object, and the AGEs that it has survived since its last TOUCH. */
export const agedObject = record({ object: uint32, age: uint8 });

const setting = record({ name: string(), value: string(1024) });

function operations() {
  return {
    age: operation({
      number: 1001,
      summary: "make all objects a step older; those that are too old are destroyed",
      subject: "server",
      rights: [],
    }),
    copy: operation({
      number: 1002,
      summary: "make a new object here from one that may be elsewhere",
      subject: "server",
      rights: [],
      arguments: { source: inBuffer(capability, "what to copy") },
      reply: { copy: inPrivate("the new object") },
      errors: {
        STD_NOSPACE: "there is no room for another object",
        STD_NOTFOUND: "the source cannot be reached",
        STD_NOTNOW: "the machine is being emptied and takes nothing new",
      },
    }),
    destroy: operation({
      number: 1003,
      summary: "remove the object",
      rights: [],
      errors: { STD_NOTNOW: "it is in use" },
    }),
    info: operation({
      number: 1004,
      summary: "a line for people that says what the object is",
      subject: "either",
      rights: [],
      arguments: { most: inSize("bytes wanted; 0: all", { otherwise: 0 }) },
      reply: { text: inBuffer(text, "the line") },
    }),
    restrict: operation({
      number: 1005,
      summary: "a capability for the same object with fewer rights",
      subject: "either",
      rights: [],
      arguments: { mask: inOffset("the rights to keep, as bits") },
      reply: { capability: inPrivate("the same object with fewer rights") },
    }),
    status: operation({
      number: 1006,
      summary: "how the server fares",
      subject: "either",
      rights: [],
      reply: { text: inBuffer(text, "what it says; may be long") },
    }),
    touch: operation({
      number: 1007,
      summary: "make the object young again",
      subject: "either",
      rights: [],
    }),
    getparams: operation({
      number: 1008,
      summary: "the parameters that can be set while the server runs",
      subject: "server",
      rights: [],
      reply: {
        count: inExtra("how many"),
        parameters: inBuffer(sequence(parameter), "each with its type, meaning and value"),
      },
    }),
    setparams: operation({
      number: 1009,
      summary: "set parameters; either all of them or none",
      subject: "server",
      rights: [],
      arguments: {
        count: inExtra("how many; 0: all that follow", { otherwise: 0 }),
        settings: inBuffer(sequence(setting), "names and new values"),
      },
      errors: { STD_NOTFOUND: "there is no parameter of that name" },
    }),
    ntouch: operation({
      number: 1010,
      summary: "make many objects young again; those that can be are, also when others fail",
      subject: "either",
      rights: "anyone",
      arguments: {
        count: inSize("how many; 0: all that follow", { otherwise: 0 }),
        objects: inBuffer(bytes, "the private parts of their capabilities, 10 bytes each"),
      },
      reply: { touched: inExtra("how many are young again; in a refusal too") },
      errors: { STD_ARGBAD: "so many private parts did not come: nothing was touched" },
      example: "n1:segment --objects hex:010053ff510c9febbc12",
    }),
    revoke: operation({
      number: 1011,
      summary: "end all capabilities to the object, and make one anew with all rights",
      subject: "either",
      rights: [],
      reply: { capability: inPrivate("the same object; the only capability to it that counts") },
    }),
    ages: operation({
      number: 1012,
      summary: "how many AGEs each object has survived since its last TOUCH, in the order of their numbers",
      subject: "server",
      rights: [],
      arguments: {
        first: inOffset("number of the first object", { otherwise: 1 }),
        least: inExtra("only those that are so old", { otherwise: 0 }),
      },
      reply: {
        next: inOffset("number of the first object that is not answered; 0: nothing is left"),
        lifetime: inExtra("AGEs that an object survives: at that age the next one destroys it"),
        objects: inBuffer(sequence(agedObject), "numbers and ages"),
      },
    }),
  };
}

/** The standard operations as they are everywhere; rights are each server's. */
export const anyServer = operations();
export type StandardOperations = typeof anyServer;
export type StandardName = keyof StandardOperations;
export const standardNames = Object.keys(anyServer) as StandardName[];

type Rights = readonly string[] | "anyone";

/** What a standard operation takes on this server: rights as in Operation. NTOUCH takes TOUCH's, AGES AGE's. */
export type StandardRights = Readonly<Record<Exclude<StandardName, "ages" | "ntouch" | "revoke">, Rights>> & {
  /** Default: all rights that there are. */
  readonly revoke?: Rights;
};

/** The standard operations with the rights that a server asks for. */
export function standardOperations(rights: Required<StandardRights>): StandardOperations {
  const all = { ...rights, ages: rights.age, ntouch: anyServer.ntouch.rights };
  const entries = standardNames.map((name) => [name, { ...anyServer[name], rights: all[name] }]);
  return Object.fromEntries(entries) as Readonly<Record<StandardName, Operation>> as StandardOperations;
}
