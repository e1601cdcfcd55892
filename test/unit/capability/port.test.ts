// If one of these fails, a server listens to another port than its user typed.

import { describe, expect, it } from "vitest";
import { parsePort, portHex } from "../../../control/capability/port.js";

describe("a port on the command line", () => {
  it.each([
    ["abcdef", "616263646566"],
    ["a", "610000000000"],
    ["010203", "303130323033"],
    ["0f8905c8feff", "0f8905c8feff"],
    ["0F8905C8FEFF", "0f8905c8feff"],
    ["E4:B2:C2:98:54:5", "e4b2c2985405"],
  ])("%s", (text, hex) => {
    expect(portHex(parsePort(text))).toBe(hex);
  });

  it.each(["", "toolong", "0f8905c8fefg", "0f8905c8feff00", "é", "a\nb", "1:2:3:4:5"])(
    "%j is refused",
    (text) => {
      expect(() => parsePort(text)).toThrow(expect.objectContaining({ exit: 2, code: "PORT_INVALID" }));
    },
  );
});
