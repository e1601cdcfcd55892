// If one of these fails, what secures FLIP over IP is not the Noise protocol that was analysed.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  Initiator,
  keyPairOf,
  NoiseError,
  type NoiseHash,
  newKeyPair,
  Responder,
  seal,
  secretOf,
  unseal,
} from "../../../../drivers/secure-link/noise.js";

interface Vector {
  readonly protocol_name: string;
  readonly init_prologue: string;
  readonly init_static: string;
  readonly init_ephemeral: string;
  readonly init_remote_static: string;
  readonly resp_static: string;
  readonly resp_ephemeral: string;
  readonly messages: readonly { payload: string; ciphertext: string }[];
}

const { vectors } = JSON.parse(
  readFileSync(new URL("../../../vectors/noise-ik.json", import.meta.url), "utf8"),
) as { vectors: readonly Vector[] };
const hex = (text: string): Buffer => Buffer.from(text, "hex");
const prologue = Buffer.from("test");

describe.each(vectors)("the published vector of $protocol_name", (vector) => {
  const hash = vector.protocol_name.split("_").at(-1) as NoiseHash;
  const both = { prologue: hex(vector.init_prologue), hash };
  const initiator = new Initiator(
    {
      ...both,
      own: keyPairOf(hex(vector.init_static)),
      ephemeral: keyPairOf(hex(vector.init_ephemeral)),
    },
    hex(vector.init_remote_static),
  );
  const responder = new Responder({
    ...both,
    own: keyPairOf(hex(vector.resp_static)),
    ephemeral: keyPairOf(hex(vector.resp_ephemeral)),
  });
  const [first, second, ...transport] = vector.messages.map(({ payload, ciphertext }) => ({
    payload: hex(payload),
    ciphertext: hex(ciphertext),
  }));

  it("gives both messages of the handshake, and they are read", () => {
    if (first === undefined || second === undefined) throw new Error("the vector is cut");
    expect(initiator.write(first.payload)).toEqual(first.ciphertext);
    expect(responder.read(first.ciphertext)).toEqual(first.payload);
    expect(responder.remoteStatic).toEqual(keyPairOf(hex(vector.init_static)).publicKey);
    expect(responder.write(second.payload)).toEqual(second.ciphertext);
    expect(initiator.read(second.ciphertext)).toEqual(second.payload);
  });

  it("gives the messages that follow, in both directions", () => {
    const none = new Uint8Array(0);
    expect(transport.length).toBeGreaterThanOrEqual(2);
    for (const [index, { payload, ciphertext }] of transport.entries()) {
      const [from, to] = index % 2 === 0 ? [initiator, responder] : [responder, initiator];
      const number = Math.floor(index / 2);
      expect(seal(from.keys().send, number, none, payload)).toEqual(ciphertext);
      expect(unseal(to.keys().receive, number, none, ciphertext)).toEqual(payload);
    }
  });
});

describe("a handshake", () => {
  const [a, b, stranger] = [newKeyPair(), newKeyPair(), newKeyPair()];

  it("is refused in every message of which one bit is wrong", () => {
    const first = new Initiator({ own: a, prologue }, b.publicKey).write(Buffer.from("hello"));
    for (let at = 0; at < first.length; at++) {
      const wrong = Buffer.from(first);
      wrong[at] = (wrong[at] ?? 0) ^ 1;
      expect(() => new Responder({ own: b, prologue }).read(wrong), `byte ${at}`).toThrow(NoiseError);
    }
  });

  it("goes on with the true answer after forged ones", () => {
    const initiator = new Initiator({ own: a, prologue }, b.publicKey);
    const responder = new Responder({ own: b, prologue });
    responder.read(initiator.write(Buffer.alloc(0)));
    const answer = responder.write(Buffer.alloc(0));
    for (let at = 0; at < answer.length; at++) {
      const wrong = Buffer.from(answer);
      wrong[at] = (wrong[at] ?? 0) ^ 1;
      expect(() => initiator.read(wrong), `byte ${at}`).toThrow(NoiseError);
    }
    initiator.read(answer);
    expect(initiator.keys().send).toEqual(responder.keys().receive);
  });

  it("cannot be had by who calls another key, or has another prologue", () => {
    const first = new Initiator({ own: a, prologue }, stranger.publicKey).write(Buffer.alloc(0));
    expect(() => new Responder({ own: b, prologue }).read(first)).toThrow(NoiseError);
    const other = new Initiator({ own: a, prologue: Buffer.from("x") }, b.publicKey).write(Buffer.alloc(0));
    expect(() => new Responder({ own: b, prologue }).read(other)).toThrow(NoiseError);
  });

  it("refuses keys of small order, which would give a secret that everybody knows", () => {
    const first = new Initiator({ own: a, prologue }, b.publicKey).write(Buffer.alloc(0));
    first.fill(0, 0, 32);
    expect(() => new Responder({ own: b, prologue }).read(first)).toThrow(NoiseError);
  });

  it("uses keys that can be kept and had again", () => {
    expect(keyPairOf(secretOf(a)).publicKey).toEqual(a.publicKey);
    expect(() => keyPairOf(new Uint8Array(31))).toThrow(RangeError);
  });
});
