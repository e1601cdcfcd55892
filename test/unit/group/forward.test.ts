// A client outside a group reaches it by RPC to any member, which may hand the request on: if
// one of these fails, the client hears nothing, or of the wrong member.

import { describe, expect, it } from "vitest";
import { KERNEL_BADHANDLE, RPC_FAILURE, STD_ARGBAD, STD_OK } from "../../../core-wasm/status.js";
import { writeHeader } from "../../../simulation/engine/programs.js";
import { getPort } from "../../simulation/pairs.js";
import { SECOND, type World } from "../../simulation/world.js";
import { group, type User } from "./party.js";

/** A client on the LAN of a group's members. */
function outsider(world: World, users: readonly User[]) {
  const lan = users[0]?.machine.lans[0];
  if (lan === undefined) throw new Error("no network");
  return world.machine("client", lan);
}

/** Serves one request: `act` gets its handle. */
function serveOnce(user: User, act: (handle: number, header: number) => void): void {
  const kernel = user.machine.running;
  const header = kernel.buffers.take(64);
  writeHeader(kernel, header, { port: getPort });
  const handle = kernel.getreq(header, kernel.buffers.take(4096), 4096, (status, _, given) => {
    if (status === STD_OK) act(given, header);
  });
  expect(handle).toBeGreaterThanOrEqual(0);
}

describe("grp_forward", () => {
  it.each([0, 2])("hands a request to member %i, whose answer the client gets", (target) => {
    const { users, world } = group(3);
    const client = outsider(world, users);
    const [member, other] = [users[1] as User, users[target] as User];
    const forwarded: number[] = [];
    serveOnce(member, (handle) => {
      forwarded.push(member.groups.forward(member.gid, handle, target));
      other.machine.serve(getPort, 1, 4096, ({ header, data }, reply) =>
        reply({ offset: header.offset, extra: 40 + target, data }),
      );
    });
    const data = new Uint8Array(3000).fill(7);
    const end = client.call({ port: member.machine.running.publicPort(getPort), data, replyCapacity: 4096 });
    expect(forwarded).toEqual([STD_OK]);
    expect(end.status).toBe(STD_OK);
    expect(end.header.extra).toBe(40 + target);
    expect(end.data).toEqual(data);
  });

  it("refuses a member that there is not, and a handle that is none; the request is still to be answered", () => {
    const { users, world } = group(2);
    const client = outsider(world, users);
    const member = users[1] as User;
    const answers: number[] = [];
    serveOnce(member, (handle, header) => {
      const { groups, machine } = member;
      answers.push(groups.forward(member.gid, handle, 5), groups.forward(member.gid, handle, -1));
      answers.push(groups.forward(member.gid, handle, 99), groups.forward(member.gid, 0x3fff0000, 0));
      writeHeader(machine.running, header + 32, { extra: 9 });
      machine.running.putrep(handle, header + 32, 0, 0, () => {});
    });
    const end = client.call({ port: member.machine.running.publicPort(getPort) });
    expect(answers.slice(0, 3)).toEqual([STD_ARGBAD, STD_ARGBAD, STD_ARGBAD]);
    expect([KERNEL_BADHANDLE, RPC_FAILURE]).toContain(answers[3]);
    expect(end).toMatchObject({ status: STD_OK, header: { extra: 9 } });
    world.run(undefined, SECOND);
  });
});
