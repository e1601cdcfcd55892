// Keeps the server's leases: says to every member, often enough, that the server lives, and looks after
// what was not answered.
//
// - A renewal counts from when it was sent. A member that has not answered one for LEASE_MS may have
//   another server (port.ts).

import { DiskError } from "../errors.js";
import type { Core } from "./core.js";
import type { MemberLink } from "./member-link.js";

function renew(core: Core, member: MemberLink): void {
  const sentAt = core.now();
  member.port.renew(core.epoch, core.done).then(
    () => {
      if (member.link === "down" || core.ended !== null) return;
      member.heard(sentAt);
      const hadLease = core.hasLease;
      member.renewedAt = Math.max(member.renewedAt, sentAt);
      if (!hadLease) core.changed.fire();
    },
    (error: unknown) => {
      if (!(error instanceof DiskError)) throw error;
      if (member.link === "down" || core.ended !== null || error.code === "DISK_SILENT") return;
      if (error.code === "DISK_FENCED") core.end(error);
      else if (error.code !== "DISK_TRANSFER") core.lose(member, error);
    },
  );
}

/** Goes on until the server has ended. */
export function keepLeases(core: Core): void {
  const turn = (): void => {
    if (core.ended !== null) return;
    core.expire();
    for (const member of core.members) {
      if (member.tick()) core.lose(member, null);
      if (member.link === "up") renew(core, member);
    }
    core.options.after(core.policy.renewMs, turn);
  };
  turn();
}
