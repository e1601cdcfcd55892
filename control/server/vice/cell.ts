// A vice server's part in its cell: what it shares, and its places, where it is found by whoever knows no
// capability of it (control/interface/cell.ts).
//
// - Nothing is shared unless its administrator said so; that is a fact of the volume, in its row.
// - A place is taken when nobody answers there. Two that took it at the same moment, or on two networks that
//   became one, find out: each goes off its place now and then, and asks who answers there now.
// - A place knows one operation, CELL; whatever else comes is refused.

import { STD_ARGBAD, STD_COMBAD, STD_NOSPACE, STD_NOTNOW, STD_OK } from "../../../core-wasm/status.js";
import { type Capability, capabilityHex, portOnly } from "../../capability/capability.js";
import type { After } from "../../group/timer.js";
import {
  CELL_PLACES,
  CELL_SERVERS_MAX,
  type CellDocument,
  cellNameForm,
  cellPlace,
  cellSchema,
  networkPlace,
  SHARED_MAX,
  type SharedDocument,
} from "../../interface/cell.js";
import { type SharedRights, sharedRights, viceTable } from "../../interface/vice.js";
import { toHex } from "../../kernel/bytes.js";
import { ProteusError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { Service } from "../../kernel/service.js";
import { type Asked, answering } from "../../stub/answers.js";
import { stub } from "../../stub/client.js";
import { measure, put } from "../../stub/messages.js";
import { refuse } from "../../stub/refused.js";
import type { ViceVolume } from "./volume.js";

/** By the bits of the rights. */
const wordsOf: Readonly<Record<number, SharedRights>> = { 1: sharedRights[0], 3: sharedRights[1] };

/** What everybody on the network may do with a volume. */
export const sharedOf = ({ state }: ViceVolume): SharedRights | undefined =>
  wordsOf[state.volume?.shared ?? 0];

export interface CellSideOptions {
  readonly kernel: Kernel;
  /** Vice's own. */
  readonly putPort: Uint8Array;
  readonly cell: string | undefined;
  readonly volumes: ReadonlyMap<number, ViceVolume>;
  readonly capabilityOf: (number: number, rights: number) => Capability;
  readonly random: (bytes: number) => Uint8Array;
  readonly after: After;
  readonly failed: (error: unknown) => void;
}

export class CellSide {
  readonly #options: CellSideOptions;
  readonly #places: readonly PlaceKeeper[];

  /** Looks for its places at once, when it has a cell. */
  constructor(options: CellSideOptions) {
    this.#options = options;
    const { cell, kernel, putPort } = options;
    if (cell === undefined) {
      this.#places = [];
      return;
    }
    if (!cellNameForm.test(cell)) throw new Error(`${cell} is no name of a cell`);
    const first = putPort.reduce((sum, byte) => (sum * 31 + byte) % 65521, 7);
    const document = () => this.document();
    this.#places = [
      new PlaceKeeper({
        ...{ ...options, document, count: CELL_PLACES },
        portOf: (place) => networkPlace(kernel, (first + place) % CELL_PLACES),
      }),
      new PlaceKeeper({
        ...{ ...options, document, count: CELL_SERVERS_MAX },
        portOf: (place) => cellPlace(kernel, cell, place),
      }),
    ];
  }

  document(): CellDocument {
    const { cell, putPort } = this.#options;
    return cell === undefined ? refuse(STD_NOTNOW) : { cell, server: toHex(putPort) };
  }

  /** What is shared, by name; each with the rights that it is shared with. */
  shared(): SharedDocument {
    const { volumes, capabilityOf } = this.#options;
    const { cell } = this.document();
    const all = [...volumes].flatMap(([number, { state, name }]) => {
      const rights = state.volume?.shared ?? 0;
      return rights === 0 ? [] : [{ name, capability: capabilityHex(capabilityOf(number, rights)) }];
    });
    return { cell, volumes: all.sort((one, other) => (one.name < other.name ? -1 : 1)).slice(0, SHARED_MAX) };
  }

  /** Shares a volume, or with 0 does not any more; durable before it is answered. */
  async share(volume: ViceVolume, rights: number): Promise<void> {
    if (rights !== 0) {
      if (wordsOf[rights] === undefined) refuse(STD_ARGBAD);
      if (sharedOf(volume) === undefined && this.shared().volumes.length >= SHARED_MAX) refuse(STD_NOSPACE);
    }
    await volume.share(rights);
  }

  /** Leaves its places. */
  close(): void {
    for (const place of this.#places) place.close();
  }
}

const askMs = 250;
const firstCheckMs = 2000;
const checkMs = 60_000;
/** When all places are taken. */
const againMs = 10_000;

interface PlaceKeeperOptions extends Pick<CellSideOptions, "kernel" | "random" | "after" | "failed"> {
  readonly count: number;
  readonly portOf: (place: number) => Uint8Array;
  readonly document: () => CellDocument;
}

/** Has one of a row of places, as long as there is one. */
class PlaceKeeper {
  readonly #options: PlaceKeeperOptions;
  #service: Service | null = null;
  #place = 0;
  #closed = false;
  #forget: () => void = () => undefined;

  constructor(options: PlaceKeeperOptions) {
    this.#options = options;
    this.#next(0, firstCheckMs);
  }

  /** Looks after a while, and from then on. */
  #next(milliseconds: number, following: number): void {
    if (this.#closed) return;
    const { after, failed, random } = this.#options;
    const [lot = 128] = random(1);
    this.#forget = after(Math.ceil(milliseconds * (0.5 + lot / 255)), () => {
      this.#claim()
        .catch((error: unknown) => {
          failed(error);
          return false;
        })
        .then((isPlaced) => this.#next(isPlaced ? following : againMs, checkMs));
    });
  }

  /** The place where it is, when it is nobody else's; else the next one that is free. */
  async #claim(): Promise<boolean> {
    const { count } = this.#options;
    for (let tried = 0; tried < count && !this.#closed; tried++) {
      const port = this.#options.portOf(this.#place);
      this.#service?.close(); // or it would hear itself
      this.#service = null;
      if (!(await this.#isOthers(port))) {
        if (!this.#closed) this.#serve(port);
        return true;
      }
      this.#place = (this.#place + 1) % count;
    }
    return false;
  }

  async #isOthers(port: Uint8Array): Promise<boolean> {
    const { kernel, document } = this.#options;
    const place = portOnly(kernel.publicPort(port));
    try {
      const { cell } = await stub(kernel, viceTable, place, { locateTimeoutMs: askMs, deadMs: 1000 }).cell();
      return cellSchema.safeParse(cell).data?.server !== document().server;
    } catch (error) {
      if (!(error instanceof ProteusError)) throw error;
      return !error.code.startsWith("RPC_"); // who says nothing useful is somebody
    }
  }

  #serve(port: Uint8Array): void {
    const { kernel, failed, document } = this.#options;
    const { number, reply } = viceTable.operations.cell;
    const respond = ({ command }: Asked) => {
      if (command !== number) return { status: STD_COMBAD };
      const values = { cell: document() };
      const data = new Uint8Array(measure(reply, values));
      put(reply, values, data);
      return { status: STD_OK, data };
    };
    this.#service = new Service(kernel, port, answering(respond, failed), {
      ...{ threads: 2, requestBytesMax: 4096 },
    });
  }

  close(): void {
    this.#closed = true;
    this.#forget();
    this.#service?.close();
  }
}
