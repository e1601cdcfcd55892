// The directories of a pool as one state that commands change: the same at every directory
// server after the same commands.
//
// - `apply` depends on nothing but the command and the state. A command that is refused changes
//   nothing. Each that is executed makes the next version, and says what a store must write.
// - An update that says who it is is executed once: the last REQUESTS_KEPT are remembered.
// - Object 0 is the server, object 1 the root, which neither ages nor goes.
// - What a capability may do is checked before a command is made (server.ts); here only that the
//   generation is still the one that it was checked with.

import { STD_ARGBAD, STD_OK } from "../../../core-wasm/status.js";
import type { CapabilitySet } from "../../capability/set.js";
import { type Command, decodeCommand, type Outcome } from "./commands.js";
import type { Contents } from "./contents.js";
import { perform } from "./perform.js";
import { encodeAs, type Request, type Row, requestKey, requestType, type Standing } from "./records.js";
import { type Directory, Tables, type Written } from "./tables.js";

export type { Directory, Written } from "./tables.js";

/** Requests that are remembered. */
export const REQUESTS_KEPT = 1024;

const isNobody = (id: Uint8Array): boolean => id.every((byte) => byte === 0);
const keyOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

export class DirectoryState {
  readonly #tables: Tables;
  #requests = new Map<number, Request>();
  #slots = new Map<string, number>(); // of the ids of requests

  /** @param port the put-port of the directory servers, which says what capabilities are of them */
  constructor(port: Uint8Array) {
    this.#tables = new Tables(port);
  }

  // ---- what it knows -------------------------------------------------------------

  get standing(): Standing {
    return this.#tables.standing;
  }

  get(object: number): Directory | undefined {
    return this.#tables.directories.get(object);
  }

  /** What vouches for capabilities of an object; object 0 is the server. */
  generation(object: number): Uint8Array | undefined {
    return this.#tables.generation(object);
  }

  /** No directory has a higher number. */
  get highest(): number {
    let highest = 0;
    for (const object of this.#tables.directories.keys()) highest = Math.max(highest, object);
    return highest;
  }

  /** AGEs since its last TOUCH. */
  age(object: number): number | undefined {
    const directory = this.get(object);
    return directory === undefined ? undefined : this.standing.era - directory.touched;
  }

  get directoryCount(): number {
    return this.#tables.directories.size;
  }

  get rowCount(): number {
    return this.#tables.rowCount;
  }

  /** Objects of these servers in a set. */
  ownObjects(set: CapabilitySet): number[] {
    return this.#tables.ownObjects(set);
  }

  contents(): Contents {
    return { ...this.#tables.contents(), requests: this.#requests };
  }

  /** Takes the place of everything. */
  load(contents: Contents): void {
    this.#tables.load(contents);
    this.#requests = new Map(contents.requests);
    this.#slots = new Map([...contents.requests].map(([slot, { id }]) => [keyOf(id), slot]));
  }

  /** The group begins a new term, or went on after a reset: the position grows without an update. */
  stand(term: number, view: number): Written {
    this.#tables.standing = { ...this.standing, term, view };
    this.#tables.begin();
    return this.#tables.written();
  }

  // ---- execution -----------------------------------------------------------------

  /**
   * Executes a command. `written`: what a store must have before anybody is told; null when
   * nothing was changed.
   */
  execute(bytes: Uint8Array): { readonly outcome: Outcome; readonly written: Written | null } {
    const command = decodeCommand(bytes);
    const done = (status: number, object = 0): Outcome => ({
      status,
      object,
      version: this.standing.version,
    });
    if (command === null) return { outcome: done(STD_ARGBAD), written: null };
    const before = this.#known(command);
    if (before !== undefined) return { outcome: done(STD_OK, before.object), written: null };
    const was = this.standing;
    this.#tables.begin();
    const { status, object = 0 } = perform(this.#tables, command);
    const isChanged = this.#tables.isChanged || this.standing !== was;
    if (status !== STD_OK || !isChanged) return { outcome: done(status, object), written: null };
    this.#remember({ id: command.request, digest: command.digest, object });
    this.#tables.standing = { ...this.standing, version: this.standing.version + 1 };
    return { outcome: done(status, object), written: this.#tables.written() };
  }

  #known({ request: id, digest }: Command): Request | undefined {
    const slot = isNobody(id) ? undefined : this.#slots.get(keyOf(id));
    const request = slot === undefined ? undefined : this.#requests.get(slot);
    return request?.digest === digest ? request : undefined;
  }

  #remember(request: Request): void {
    if (isNobody(request.id)) return;
    const slot = this.standing.nextSlot;
    const old = this.#requests.get(slot);
    if (old !== undefined && this.#slots.get(keyOf(old.id)) === slot) this.#slots.delete(keyOf(old.id));
    this.#requests.set(slot, request);
    this.#slots.set(keyOf(request.id), slot);
    this.#tables.standing = { ...this.standing, nextSlot: (slot + 1) % REQUESTS_KEPT };
    this.#tables.write({ kind: "put", key: requestKey(slot), value: encodeAs(requestType, request) });
  }
}

/** The mask of a column; one that the row has none for masks everything. */
export const maskOf = ({ masks }: Row, column: number): number => masks[column] ?? 0;
