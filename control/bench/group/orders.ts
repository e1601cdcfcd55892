// What the process of a member is told, one order at a time, and what it answers.
//
//   {start}   a kernel, and an echo server beside the group; answers the server's port
//   {open}    makes the group, or joins it
//   {gather}  waits until the group has so many members
//   {run}     a load (load.ts)
//   {call}    calls to servers, one after the other, in a row of calls that repeat
//   {close}   ends the member; the kernel stays for the next group

import type { Counters } from "../../kernel/counters.js";
import type { GroupParameters } from "../../kernel/groups.js";
import type { Run } from "../types.js";
import type { Figures, Load } from "./load.js";

export interface Start {
  readonly wasm: string;
  readonly interfaceName: string;
  /** The server's get-port, up to 6 characters. */
  readonly getPort: string;
}

export interface Open {
  /** Up to 6 characters. */
  readonly port: string;
  /** Of the group that is made; null: joins. */
  readonly create: GroupParameters | null;
  /** Data of the largest message. */
  readonly bytes: number;
}

export interface Calls {
  /** Put-ports in hexadecimal; all of them are one sample. */
  readonly ports: readonly string[];
  readonly bytes: number;
  readonly milliseconds: number;
}

export type MemberOrder =
  | { readonly start: Start }
  | { readonly open: Open }
  | { readonly gather: number }
  | { readonly spin: boolean }
  | { readonly run: Load }
  | { readonly call: Calls }
  | { readonly info: true }
  | { readonly close: true };

export type MemberAnswer =
  | { readonly port: string }
  | { readonly done: true }
  | { readonly figures: Figures }
  | { readonly calls: Run }
  | { readonly counters: Counters };
