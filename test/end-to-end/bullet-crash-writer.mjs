// A program that makes, changes, renews, removes and compacts files on a volume in a file, and says on
// stdout what was acknowledged, one line each, at once: for a test that kills it. Arguments: the
// folder of the built modules, the path of the volume, how many rounds.
//
// - `made N KIND LENGTH`, `renewing N`, `removing N`, `removed N`, `compacted`; before a commit:
//   `making N KIND LENGTH`. The content is `(position * 7 + kind) mod 256`.

import { writeSync } from "node:fs";
import { join } from "node:path";

const [dist = "", path, rounds] = process.argv.slice(2);
const { FileBlockDevice } = await import(join(dist, "drivers/file-block/file-block.js"));
const { FileVolume } = await import(join(dist, "control/server/bullet/volume/volume.js"));

let last = 0;
const random = (bytes) => Uint8Array.from({ length: bytes }, () => ++last * 37);
const say = (text) => writeSync(1, `${text}\n`);

const device = await FileBlockDevice.open(path);
if (await FileVolume.isBlank(device)) await FileVolume.format(device, { inodes: 50, random });
const volume = await FileVolume.open({ device, name: path, cacheBytes: 1024 * 1024, random });
say("open");

async function make(kind, length) {
  const draft = await volume.draft();
  await draft.write(
    0,
    Uint8Array.from({ length }, (_, at) => at * 7 + kind),
  );
  say(`making ${draft.number} ${kind} ${length}`);
  await draft.commit({ durable: true });
  say(`made ${draft.number} ${kind} ${length}`);
  return draft.number;
}

/** A new file that begins as a file did, and is cut off. */
async function shorten(from, kind, length) {
  const draft = await volume.draft(from);
  await draft.cut(length, draft.bytes - length);
  say(`making ${draft.number} ${kind} ${length}`);
  await draft.commit({ durable: true });
  say(`made ${draft.number} ${kind} ${length}`);
}

for (let round = 0; round < Number(rounds); round++) {
  // One in memory, one that streams, two of the same content.
  const numbers = await Promise.all([make(round, 5000), make(round, 5000), make(round + 99, 70_000)]);
  numbers.push(await make(round + 50, 300_000));
  for (const number of numbers.slice(0, 1).concat(numbers.slice(3))) {
    say(`removing ${number}`);
    await volume.remove(number);
    say(`removed ${number}`);
  }
  await shorten(numbers[2], round + 99, 40_000);
  await volume.renew(numbers[1]);
  await volume.compact();
  say("compacted");
}
await volume.close();
await device.close();
