// Compares a volume's contents with its rows, and its rows with each other, while it is served.
//
// - Contents are read a piece at a time, with a pause between pieces in which calls are served; what
//   changes meanwhile is left out. Rows are looked at in one go.
// - Repairs: a content that is bad from another one with the same SHA-256, in this volume; files without a
//   row go. What is lost is said: a mount may have it in its cache.
// - Never changes a row. Earlier contents have no hash in theirs: they are not compared.

import type { After } from "../../group/timer.js";
import { Findings, lookAt } from "../../interface/file-check.js";
import { ROOT_ID } from "../../interface/file-status.js";
import type { Contents, NewDigest } from "./contents.js";
import { isDirectoryMode, isFileMode, type ObjectRow, type VolumeState } from "./state.js";

export interface VerificationGiven {
  readonly state: VolumeState;
  readonly contents: Contents;
  readonly newDigest: NewDigest;
  readonly after: After;
  readonly isRepair: boolean;
}

/** Pieces between two pauses. */
const stepPieces = 4;
const lostHint =
  "a mount that has it in its cache: copy it there under another name, then store it again under its own";

/** Begins; the findings grow, and say when it has ended. */
export function beginVerification(given: VerificationGiven): Findings {
  const findings = new Findings(given.isRepair);
  findings.isCompared = true;
  new Verification(given, findings).run().then(
    () => {
      findings.isRunning = false;
    },
    (error: unknown) => {
      findings.failed = (error as Error).message;
      findings.isRunning = false;
    },
  );
  return findings;
}

class Verification {
  readonly #given: VerificationGiven;
  readonly #findings: Findings;
  /** Objects with a content, by its SHA-256. */
  readonly #byHash = new Map<string, number[]>();

  constructor(given: VerificationGiven, findings: Findings) {
    this.#given = given;
    this.#findings = findings;
  }

  async run(): Promise<void> {
    const { state } = this.#given;
    this.#rows();
    const ids = [...state.objects.keys()];
    for (const id of ids) await this.#content(id);
    this.#leftovers();
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#given.after(0, resolve);
    });
  }

  #nameOf(row: ObjectRow | undefined): string {
    return row?.home[1] ?? "";
  }

  #problem(what: string, id: number, why: string, repair: "done" | "possible" | "none", hint?: string): void {
    const name = this.#nameOf(this.#given.state.objects.get(id));
    this.#findings.add({ what, id, name, why, repair, ...(hint === undefined ? {} : { hint }) });
  }

  // ---- rows --------------------------------------------------------------------------------

  #rows(): void {
    const { state } = this.#given;
    const names = new Map<number, number>();
    for (const [directory, own] of state.names) {
      const row = state.objects.get(directory);
      if (row === undefined || row.gone !== undefined || !isDirectoryMode(row.mode))
        this.#wrong(directory, `${own.size} names are in what is no directory`);
      for (const [name, id] of own) {
        names.set(id, (names.get(id) ?? 0) + 1);
        const child = state.objects.get(id);
        if (child === undefined || child.gone !== undefined)
          this.#wrong(directory, `${name} is the name of nothing`);
        else if (isDirectoryMode(child.mode) && child.parent !== directory)
          this.#wrong(id, `its name is in ${directory}, and its parent is ${child.parent ?? 0}`);
      }
    }
    for (const [id, row] of state.objects) {
      if (row.gone !== undefined) continue;
      this.#findings.objects++;
      const count = names.get(id) ?? 0;
      if (isDirectoryMode(row.mode)) {
        const has = state.names.get(id)?.size ?? 0;
        if ((row.entries ?? 0) !== has) this.#wrong(id, `it counts ${row.entries ?? 0} names and has ${has}`);
        if (id !== ROOT_ID && count !== 1) this.#wrong(id, `it is a directory of ${count} names`);
      } else if (count !== row.links) this.#wrong(id, `it counts ${row.links} names and has ${count}`);
      if (isFileMode(row.mode) && row.size > 0 && row.hash !== undefined)
        this.#byHash.set(row.hash, [...(this.#byHash.get(row.hash) ?? []), id]);
    }
  }

  #wrong(id: number, why: string): void {
    this.#problem("links", id, why, "none", "keep the volume's folder as it is and report this");
  }

  // ---- contents ----------------------------------------------------------------------------

  /** What is wrong with an object's content; null: nothing; undefined: there is none to look at any more. */
  async #wrongContent(id: number): Promise<string | null | undefined> {
    const { state, contents, newDigest } = this.#given;
    const row = state.objects.get(id);
    if (row === undefined || !isFileMode(row.mode) || row.size === 0 || row.hash === undefined)
      return undefined;
    const { version, size, hash } = row;
    const file = contents.look(id, version);
    let why: string | null = "its file is missing";
    if (file !== null) {
      const work = lookAt(file, { size, hash }, newDigest, (bytes) => {
        this.#findings.bytes += bytes;
      });
      try {
        for (let piece = 1; ; piece++) {
          const { done, value } = work.next();
          if (done === true) {
            why = value;
            break;
          }
          if (piece % stepPieces === 0) await this.#pause();
        }
      } finally {
        file.close();
      }
    }
    return state.objects.get(id)?.version === version ? why : undefined;
  }

  async #content(id: number): Promise<void> {
    const why = await this.#wrongContent(id);
    if (why === undefined) return;
    if (++this.#findings.files % 64 === 0) await this.#pause();
    if (why === null) return;
    const row = this.#given.state.objects.get(id);
    const same = row?.hash === undefined ? [] : (this.#byHash.get(row.hash) ?? []);
    for (const other of same) {
      if (other === id || (await this.#wrongContent(other)) !== null) continue;
      if (!this.#given.isRepair) this.#problem("content", id, why, "possible");
      else if (row !== undefined && (await this.#copied(id, row, other)))
        this.#problem("content", id, why, "done");
      else break;
      return;
    }
    this.#problem("content", id, why, "none", lostHint);
  }

  /** Puts a copy of another object's content in the place of a bad one; false: it is not so any more. */
  async #copied(id: number, row: ObjectRow, from: number): Promise<boolean> {
    const { state, contents } = this.#given;
    const version = state.objects.get(from)?.version ?? 0;
    const name = `0.0.${id}.${row.version}`; // of no client: it goes at the next start
    if (!(await contents.add(name, [from, version]))) return false;
    if (state.objects.get(id)?.version !== row.version) {
      contents.discard(name);
      return false;
    }
    contents.install(name, id, row.version);
    return true;
  }

  #leftovers(): void {
    const { state, contents, isRepair } = this.#given;
    for (const { id, version } of [...contents.files()]) {
      const row = state.objects.get(id);
      if ((row?.version === version && row.size > 0) || state.old.has(`${id}.${version}`)) continue;
      if (isRepair) contents.remove(id, version);
      this.#problem(
        "leftover",
        id,
        `${id}.${version} is a content of nothing`,
        isRepair ? "done" : "possible",
      );
    }
  }
}
