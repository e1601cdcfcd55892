// What has to be said beside the figures, so that nobody reads too much into them. Pure.
//
// - Where a figure favours one side for a reason that is not the protocol, the reason stands here.
// - A remark appears only when the figures that it is about were measured.

import { Figures } from "./ratios.js";
import type { Result } from "./types.js";

/** From this load on the machine was not idle before the benchmark. */
const loadMax = 0.5;

/** What has to be said so that nobody reads too much into the figures. */
export function remarksOf(results: readonly Result[], load: number): string[] {
  const remarks: string[] = [];
  if (load > loadMax) {
    remarks.push(
      `Other work was running (load ${load.toFixed(1)}): figures and spread suffer, ratios less so.`,
    );
  }
  const figures = new Figures(results);
  const ours = figures.bulk("flip", 1500);
  const theirs = figures.bulk("iperf3", 1500);
  if (ours !== null && theirs !== null && theirs > ours) {
    remarks.push(
      `At MTU 1500 TCP with segmentation offload is ${(theirs / ours).toFixed(1)} times as fast as FLIP: ` +
        "on a virtual wire it sends segments of 64 KB that nothing ever cuts, and raw frames cannot.",
    );
  }
  const offload = figures.bulk("iperf3-no-offload", 1500);
  if (offload !== null)
    remarks.push(
      "Without segmentation offload Linux still makes large TCP segments and cuts them in software, at once; " +
        "raw frames go through the whole stack one by one.",
    );
  const standard = figures.bulk("iperf3", 65521);
  const large = figures.bulk("iperf3-1m", 65521);
  if (standard !== null && large !== null && large > standard)
    remarks.push(
      "iperf3 writes 128 KiB at a time; with 1 MiB (iperf3-1m) it is " +
        `${(large / standard).toFixed(1)} times as fast at MTU 65521.`,
    );
  if (figures.nullCall("node-tcp", "X") !== null)
    remarks.push(
      "In X most of the gain over Node TCP is that nobody sleeps: waking an idle core costs tens of µs. " +
        "TCP could spin too; spin-tcp shows what that gives, with the same spin in the same native code.",
    );
  if (figures.rate("nats") !== null)
    remarks.push("nats-server runs on the server's core, beside the responder; FLIP has nothing in between.");
  if (figures.rate("floor") !== null)
    remarks.push(
      "rate-N of the floor: N frames under way and back; a call is a frame each way too, so calls are " +
        "compared with frames each way.",
    );
  if (results.some(({ link }) => link.startsWith("loss-")))
    remarks.push(
      "Where frames are lost TCP hands over one segment at a time: a loss is that of a frame, for all alike.",
    );
  if (figures.cpuPerByte("flip", 9000) !== null)
    remarks.push(
      "CPU time: of the processes, with what the kernel does in their name; FLIP's " +
        "includes its spinning.",
    );
  if (figures.star("incast", "flip") !== null)
    remarks.push(
      "incast and sharing: every machine at 1 Gbit/s, 512 KiB in the switch's port to the receiver; " +
        "beside FLIP TCP is iperf3 with CUBIC.",
    );
  return remarks;
}
