// Names of machines on the command line. If one of these fails, a command runs on another machine
// than was meant, or a name becomes an option of ssh.

import { describe, expect, it } from "vitest";
import { findMachine } from "../../../control/machine/find.js";
import { parseMachine } from "../../../control/machine/name.js";

describe("the name of a machine", () => {
  it.each([
    ["n1", { kind: "node", name: "n1" }],
    ["n1:eth0", { kind: "node", name: "n1", interfaceName: "eth0" }],
    ["local", { kind: "local", name: "local" }],
    ["local:eth0.7", { kind: "local", name: "local", interfaceName: "eth0.7" }],
    ["ssh:h1", { kind: "ssh", name: "h1" }],
    ["ssh:root@h1.example.org:eth1", { kind: "ssh", name: "root@h1.example.org", interfaceName: "eth1" }],
    ["root@10.1.0.7", { kind: "ssh", name: "root@10.1.0.7" }],
    ["root@h1:eth0", { kind: "ssh", name: "root@h1", interfaceName: "eth0" }],
    ["ssh:root@[fe80::1%eth2]:eth0", { kind: "ssh", name: "root@fe80::1%eth2", interfaceName: "eth0" }],
  ])("%s", (text, machine) => {
    expect(parseMachine(text)).toEqual(machine);
  });

  it.each([
    ...["", ":eth0", "n1:eth0:more", "n1:", "ssh:", "ssh:@h1", "ssh:-oProxyCommand=x", "root@-oX", "-l@h1"],
    ...["ssh:h 1", "ssh:h1;reboot", "ssh:h1:eth 0", "ssh:h1:", "ssh:fe80::1", "ssh:root@h1:eth0:1", "a@b@c"],
  ])("is not %s", (text) => {
    expect(() => parseMachine(text)).toThrow(/names no machine/);
  });
});

describe("a machine", () => {
  it("is found by ssh, here, or by who knows the pool", async () => {
    process.env.PROTEUS_LAB_STATE = "/nonexistent";
    expect(await findMachine("ssh:h1:eth0")).toMatchObject({
      kind: "ssh",
      name: "ssh:h1",
      interfaceName: "eth0",
    });
    expect(await findMachine("local")).toMatchObject({ kind: "local" });
    const knows = async (name: string) => name === "m1";
    expect(await findMachine("m1", { knows })).toMatchObject({ kind: "ssh", name: "ssh:m1" });
    await expect(findMachine("m2", { knows })).rejects.toMatchObject({
      ...{ code: "LAB_NONE", hint: expect.stringContaining("ssh:m2") },
    });
  });
});
