// Rates of links, as `tc` writes them: `64kbit`, `100mbit`, `1gbit`.
//
// - Units are powers of 1000, and bits.

const pattern = /^(\d+(?:\.\d+)?)(bit|kbit|mbit|gbit)$/i;
const units: Readonly<Record<string, number>> = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 };

/** Bits a second of a rate such as `1gbit`; NaN when it is none. */
export function rateBits(rate: string): number {
  const match = pattern.exec(rate);
  return match === null
    ? Number.NaN
    : Number(match[1]) * (units[(match[2] ?? "").toLowerCase()] ?? Number.NaN);
}

/** Is this a rate that a link may have? */
export function isRate(text: string): boolean {
  return rateBits(text) >= 8000 && rateBits(text) <= 1e12;
}
