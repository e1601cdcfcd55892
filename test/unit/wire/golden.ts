// The golden bytes of test/vectors, and the kernel that they are held against.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { offlineKernel, packageRoot } from "../../../control/cli/package-files.js";
import { fromHex } from "../../../control/kernel/bytes.js";

export const kernel = offlineKernel();

const folder = join(packageRoot, "test", "vectors");
const read = (path: string): unknown => JSON.parse(readFileSync(join(folder, path), "utf8"));

export interface OneWay {
  readonly in: string;
  readonly out: string;
  readonly iterations?: number;
}

export interface BothOrders {
  readonly le: string;
  readonly be: string;
  readonly [field: string]: string | number | boolean;
}

/** Values that the original's own routines computed. */
export const amoeba5 = read("amoeba5.json") as {
  readonly one_way: readonly OneWay[];
  readonly one_way_chain: readonly Required<OneWay>[];
  readonly flip_oneway: readonly OneWay[];
  readonly prv: readonly {
    readonly object: number;
    readonly rights: number;
    readonly random: string;
    readonly private: string;
    readonly number: number;
    readonly decoded_rights: number;
  }[];
  readonly prv_errors: readonly { readonly object: number }[];
  readonly restrict: readonly {
    readonly random: string;
    readonly mask: number;
    readonly old_private: string;
    readonly new_private: string;
    readonly new_rights: number;
  }[];
  readonly ascii: readonly {
    readonly cap: string;
    readonly ar_cap: string;
    readonly ar_port: string;
    readonly ar_priv: string;
  }[];
  readonly am_header: readonly BothOrders[];
  readonly flip_header: readonly BothOrders[];
  readonly amphdr: readonly BothOrders[];
  readonly bchdr: readonly BothOrders[];
  readonly fc_header: readonly { readonly type: number; readonly cnt: number; readonly bytes: string }[];
};

export interface CapturedFrame {
  readonly capture: string;
  readonly index: number;
  readonly hex: string;
  readonly decoded: Readonly<Record<string, unknown>>;
}

/** Every frame that was recorded at the original's Ethernet boundary. */
export const capturedFrames: readonly CapturedFrame[] = readdirSync(join(folder, "captures")).flatMap(
  (file) => {
    const { frames } = read(join("captures", file)) as { frames: Omit<CapturedFrame, "capture" | "index">[] };
    return frames.map((frame, index) => ({ ...frame, capture: file, index }));
  },
);

/** The bytes of hex that is known to be right. */
export function bytes(hex: string): Uint8Array {
  const found = fromHex(hex);
  if (found === undefined) throw new Error(`not hex: ${hex}`);
  return found;
}
