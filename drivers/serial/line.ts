// What a serial line of a speed is as a network: MTU, weight and how much may be under way.
//
// - Pure. Ten bits of the line carry a byte (8N1).
// - A slow line has short fragments and a small window, so that what waits on the line is heard of
//   within half a second: FLIP's timers count on that.
// - The weight grows as the line gets slower, so that routes over faster wires are taken.

export interface LineFacts {
  readonly mtu: number;
  readonly weight: number;
  /** What the credit window follows from: a quarter of it, at least one. */
  readonly receiveFrames: number;
  /** Bytes that may wait for the line; more are dropped. */
  readonly backlogBytes: number;
}

export const speedMin = 1200;
export const speedMax = 50_000_000;
const bitsPerByte = 10;
/** The least that a kernel takes, and the most that an original sends. */
const mtuMin = 576;
const mtuMax = 1500;
const fragmentSeconds = 0.05;
const backlogSeconds = 0.25;
/** Fragments that may wait beyond those of a window. */
const backlogFragments = 4;

/** From this speed on; the last row holds for all others. */
const steps: readonly { readonly speed: number; readonly weight: number; readonly receiveFrames: number }[] =
  [
    { speed: 10_000_000, weight: 3, receiveFrames: 256 },
    { speed: 1_000_000, weight: 4, receiveFrames: 64 },
    { speed: 100_000, weight: 5, receiveFrames: 32 },
    { speed: 19_200, weight: 7, receiveFrames: 4 },
    { speed: 0, weight: 9, receiveFrames: 4 },
  ];

/** The facts of a line of `speed` bits a second. */
export function lineFacts(speed: number): LineFacts {
  const bytesPerSecond = speed / bitsPerByte;
  const step = steps.find((each) => speed >= each.speed);
  if (step === undefined) throw new RangeError(`${speed} is no speed of a line`);
  const mtu = Math.floor(Math.min(mtuMax, Math.max(mtuMin, bytesPerSecond * fragmentSeconds)));
  const least = (Math.max(1, step.receiveFrames / 4) + backlogFragments) * mtu;
  return {
    mtu,
    weight: step.weight,
    receiveFrames: step.receiveFrames,
    backlogBytes: Math.max(least, Math.floor(bytesPerSecond * backlogSeconds)),
  };
}
