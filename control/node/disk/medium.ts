// One medium of a machine: opened, watched, and opened again when it was gone.
//
// - A file that is missing, empty or short is made or extended; then it is blank, which the server
//   of its storage sees when it looks.
// - It is opened anew, with back-off and for ever, when its device failed, and when the name has
//   become another file, or a shorter one: somebody has put another medium there.
// - While it is closed every request to its member is DISK_GONE. What is asked of it goes through
//   here, so that whoever has the member keeps it while the medium changes below.

import { stat, truncate } from "node:fs/promises";
import type { BlockDevice } from "../../../drivers/block.js";
import { FileBlockDevice } from "../../../drivers/file-block/file-block.js";
import { DiskError } from "../../server/disk/errors.js";
import { mediumBlocks } from "../../server/disk/member/layout.js";
import type {
  Claim,
  MemberFound,
  MemberPort,
  MemberWrite,
  MemberZero,
} from "../../server/disk/member/port.js";
import type { MemberRecord } from "../../server/disk/member/record.js";
import { stretch } from "../../server/disk/member/stretch.js";
import { isMissing, makeMedium } from "../medium-file.js";
import { after } from "../timer.js";

/** A member, and how to end it. */
export interface OpenMember extends MemberPort {
  close(): Promise<void>;
}

/** A device, and how to end it. */
export interface OpenDevice {
  readonly device: BlockDevice;
  /** It was just made: it holds nothing. */
  readonly isEmpty: boolean;
  /** Whether it is still what its name stands for. */
  isCurrent(): Promise<boolean>;
  close(): Promise<void>;
}

export interface MediumOptions {
  readonly path: string;
  readonly openDevice: () => Promise<OpenDevice>;
  readonly openMember: (device: OpenDevice) => Promise<OpenMember>;
  /** Told when it was opened, and when it has become the member of a storage. */
  readonly found: (found: MemberFound) => void;
  /** Told of every request to its member. */
  readonly used: () => void;
  /** Told why it was closed. */
  readonly failed: (error: unknown) => void;
}

const lookMs = 1000;
const [retryFirstMs, retryMostMs] = [250, 15_000];
/** Of no use until it is opened anew. */
const broken = new Set(["DISK_MEDIUM"]);

export class Medium implements MemberPort {
  readonly path: string;
  readonly #options: MediumOptions;
  #device: OpenDevice | null = null;
  #member: OpenMember | null = null;
  #why = "it is being opened";
  #retryMs = retryFirstMs;
  #forget: () => void = () => undefined;
  #turn: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: MediumOptions) {
    this.#options = options;
    this.path = options.path;
  }

  get isOpen(): boolean {
    return this.#member !== null;
  }

  /** Why it is closed. */
  get why(): string {
    return this.#why;
  }

  /** Opens it for the first time; rejects when it cannot be, and does not try again. */
  async start(): Promise<void> {
    await this.#open();
    this.#later(lookMs);
  }

  /** Opens it, however long that takes. */
  async startPatiently(): Promise<void> {
    await this.#openOrWait();
  }

  // ---- opened and closed -----------------------------------------------------------------

  #later(milliseconds: number): void {
    this.#forget();
    if (this.#closed) return;
    this.#forget = after(milliseconds, () => {
      this.#turn = this.#turn.then(() => this.#check()).catch(this.#options.failed);
    });
  }

  async #check(): Promise<void> {
    if (this.#closed) return;
    if (this.#member !== null && (await this.#device?.isCurrent()) === false)
      await this.#shut("another medium, or none, is at its place");
    if (this.#member === null) await this.#openOrWait();
    else this.#later(lookMs);
  }

  async #openOrWait(): Promise<void> {
    try {
      await this.#open();
      this.#retryMs = retryFirstMs;
      this.#later(lookMs);
    } catch (error) {
      this.#why = error instanceof Error ? error.message : String(error);
      this.#options.failed(error);
      this.#later(this.#retryMs);
      this.#retryMs = Math.min(2 * this.#retryMs, retryMostMs);
    }
  }

  async #open(): Promise<void> {
    const opened = await this.#options.openDevice();
    try {
      const member = await this.#options.openMember(opened);
      this.#options.found(await member.look());
      this.#device = opened;
      this.#member = member;
    } catch (error) {
      await opened.close();
      throw error;
    }
    if (this.#closed) await this.#shut("it was taken away");
  }

  async #shut(why: string): Promise<void> {
    const [member, device] = [this.#member, this.#device];
    this.#member = null;
    this.#device = null;
    this.#why = why;
    // What is under way ends before another one has the medium.
    await member?.close().catch(() => undefined); // it may be closed because it fails
    await device?.close().catch(() => undefined);
  }

  /** Opens it anew soon. */
  #broke(error: DiskError, member: OpenMember): void {
    if (this.#member !== member || this.#closed) return;
    this.#options.failed(error);
    this.#forget();
    this.#turn = this.#turn
      .then(async () => {
        if (this.#member !== member) return;
        await this.#shut(error.message);
        this.#later(this.#retryMs);
        this.#retryMs = Math.min(2 * this.#retryMs, retryMostMs);
      })
      .catch(this.#options.failed);
  }

  /** Closes and opens it: it is to be longer. */
  async reopen(): Promise<void> {
    this.#turn = this.#turn.then(async () => {
      if (this.#closed) return;
      await this.#shut("it is made longer");
      await this.#openOrWait();
    });
    await this.#turn;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#forget();
    await this.#turn;
    await this.#shut("it was taken away");
  }

  // ---- the member ------------------------------------------------------------------------

  async #ask<Result>(work: (member: OpenMember) => Promise<Result>): Promise<Result> {
    this.#options.used();
    const member = this.#member;
    if (member === null) throw new DiskError("DISK_GONE", `${this.path} is closed: ${this.#why}`);
    try {
      return await work(member);
    } catch (error) {
      if (error instanceof DiskError && broken.has(error.code)) this.#broke(error, member);
      throw error;
    }
  }

  look(): Promise<MemberFound> {
    return this.#ask((member) => member.look());
  }

  fence(claim: Claim): Promise<MemberRecord> {
    return this.#ask((member) => member.fence(claim));
  }

  async adopt(record: MemberRecord): Promise<void> {
    await this.#ask((member) => member.adopt(record));
    await this.#told();
  }

  async update(record: MemberRecord): Promise<void> {
    await this.#ask((member) => member.update(record));
    await this.#told();
  }

  async #told(): Promise<void> {
    this.#options.found(await this.look());
  }

  renew(epoch: number, done: number): Promise<void> {
    return this.#ask((member) => member.renew(epoch, done));
  }

  read(epoch: number, block: number, buffer: Uint8Array, isRaw?: boolean): Promise<Uint8Array> {
    return this.#ask((member) => member.read(epoch, block, buffer, isRaw));
  }

  write(request: MemberWrite): Promise<void> {
    return this.#ask((member) => member.write(request));
  }

  zero(request: MemberZero): Promise<void> {
    return this.#ask((member) => member.zero(request));
  }

  flush(epoch: number): Promise<void> {
    return this.#ask((member) => member.flush(epoch));
  }

  digests(epoch: number, block: number, blocks: number, isRead: boolean): Promise<Uint8Array> {
    return this.#ask((member) => member.digests(epoch, block, blocks, isRead));
  }
}

/** What a member has at the end of its file goes to the new end; a file that is no member stays blank. */
async function moveEnd(device: FileBlockDevice, formerBytes: number): Promise<void> {
  const former = Math.floor(formerBytes / device.blockBytes);
  if (former < mediumBlocks(0)) return; // no record had room in it
  try {
    await stretch(device, former);
  } catch (error) {
    if (error instanceof RangeError) return; // too little longer: blank, and given everything
    await device.close();
    throw error;
  }
}

/** Opens a file, made or extended to so many bytes, or a partition. */
export async function openFile(path: string, bytes: number): Promise<OpenDevice> {
  const isEmpty = await isMissing(path);
  if (isEmpty) await makeMedium(path, bytes, (device) => device.flush(), 0o700);
  const before = await stat(path);
  if (before.isFile() && before.size < bytes) await truncate(path, bytes);
  const device = await FileBlockDevice.open(path);
  if (before.isFile() && before.size < bytes) await moveEnd(device, before.size);
  const opened = await stat(path);
  const isCurrent = async (): Promise<boolean> => {
    try {
      const now = await stat(path);
      const isSame = now.ino === opened.ino && now.dev === opened.dev && now.rdev === opened.rdev;
      return isSame && (!now.isFile() || now.size >= opened.size);
    } catch {
      return false;
    }
  };
  return { device, isEmpty, isCurrent, close: () => device.close() };
}
