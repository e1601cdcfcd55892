// If this fails, a group that grows costs its network more than it should: on a network that
// multicasts, a message to nine members takes about as many frames and as long as one to three.

import { describe, expect, it } from "vitest";
import { group, type User } from "../unit/group/party.js";
import { SECOND } from "./world.js";

const warmUp = 100;
const messages = 600;

interface Cost {
  readonly frames: number;
  readonly microseconds: number;
}

/** Frames and virtual time a message: one member sends, one message after the other. */
function cost(members: number, resilience: number): Cost {
  const { world, lan, users } = group(members, { resilience, membersMax: 16, logHistory: 8 });
  const sender = users[1] as User;
  let frames = 0;
  const send = (count: number): void => {
    for (let i = 0; i < count; i++) expect(sender.sendNow(new Uint8Array(64))).toBe(0);
  };
  world.run(undefined, SECOND); // everyone is known and greeted
  send(warmUp);
  lan.tap = () => {
    frames++;
  };
  const began = world.now;
  send(messages);
  lan.tap = null;
  return { frames: frames / messages, microseconds: (world.now - began) / messages };
}

describe("a message to nine members beside one to three, on a network that multicasts", () => {
  it("takes at most 1.1 times the frames and 1.3 times the time", () => {
    const three = cost(3, 0);
    const nine = cost(9, 0);
    console.log(`three members: ${JSON.stringify(three)}, nine: ${JSON.stringify(nine)}`);
    expect(three.frames).toBeLessThan(2.2);
    expect(nine.frames / three.frames).toBeLessThanOrEqual(1.1);
    expect(nine.microseconds / three.microseconds).toBeLessThanOrEqual(1.3);
  });

  it("costs one acknowledgement more for each crash it survives", () => {
    for (const resilience of [1, 2]) {
      const nine = cost(9, resilience);
      expect(nine.frames).toBeLessThan(3.3 + resilience);
    }
  });
});
