// How a change goes into the log, and those changes that are of attributes alone: extended ones, and
// set-id bits that a write takes off.
//
// - A change is one record, built from what is so here; ESTALE of vice means that it was not so: the
//   request runs again.
// - Objects without a name are changed here alone.

import {
  errno,
  type FileAnswer,
  type FileRequest,
  type GiveAnswer,
  withoutSetId,
} from "../../drivers/file-system.js";
import { ATTRIBUTES_BYTES_MAX, attributesBytes, withAttribute } from "../interface/file-status.js";
import { Failure, fail, mustBeUsers, Reading, type RequestOf } from "./reading.js";
import type { Became, FreshRecord } from "./shipping.js";
import type { CachedObject } from "./state.js";

const [XATTR_CREATE, XATTR_REPLACE] = [1, 2];

type MayDrop = "open" | "write" | "fallocate";
const withoutDrop = ({ dropSetId: _, ...plain }: RequestOf<"open" | "write">) => plain;

export const ended = (number: number): FileAnswer =>
  number === 0 ? { kind: "done" } : { kind: "error", errno: number };

export abstract class Attributes extends Reading {
  /** What is answered at once; null: it changes something. */
  protected abstract answerNow(request: FileRequest): FileAnswer | null;

  /** Appends a record; `done` when it is so. */
  protected append(
    record: FreshRecord,
    answer: GiveAnswer,
    again: () => void,
    done: (id: number) => FileAnswer,
  ): void {
    this.options.shipper.append(record, (became: Became) => {
      if (became === "applied") answer(done(record.id));
      else if (became.became !== "refused") answer(done(became.id ?? record.id));
      else if (became.errno === errno.ESTALE) {
        const ids = [record.id, ...("directory" in record ? [record.directory] : [])];
        for (const id of ids) this.cache.link?.doubt(id);
        again();
      } else {
        if ("directory" in record) this.cache.link?.doubt(record.directory);
        answer(ended(became.errno ?? errno.EIO));
      }
    });
  }

  /** Whether set-id bits have to go before a request is done; FALLOCATE does not say whether they may stay. */
  protected dropsSetId(request: RequestOf<MayDrop>): boolean {
    const mode = this.cache.state.objects.get(request.node)?.status.mode ?? 0;
    const mayNotStay = request.kind === "fallocate" ? request.uid !== 0 : request.dropSetId === true;
    return mayNotStay && withoutSetId(mode) !== mode;
  }

  /** Takes the bits off, and does the request then. */
  protected dropSetId(request: RequestOf<MayDrop>, answer: GiveAnswer, again: () => void): void {
    const { node } = request;
    const { status } = this.held(node) ?? this.need(node);
    const mode = withoutSetId(status.mode);
    if (status.links === 0) this.keep(node, { mode });
    else {
      const record = { op: "setattr", time: this.time(), id: node, base: status.changed } as const;
      // What a WRITE brought counts for now only: it is done at once.
      const data = request.kind === "write" ? { data: request.data.slice() } : {};
      const plain = request.kind === "fallocate" ? { ...request, uid: 0 } : withoutDrop(request);
      this.append({ ...record, mode: mode & 0o7777 }, answer, again, () => {
        try {
          return this.answerNow({ ...plain, ...data } as FileRequest) ?? ended(errno.EIO);
        } catch (error) {
          if (error instanceof Failure) return ended(error.errno);
          throw error;
        }
      });
      return;
    }
    again();
  }

  /** Changes an object that has no name any more: nobody else will ever know. */
  protected keep(id: number, changes: Partial<CachedObject["status"]>): void {
    const row = this.cache.state.objects.get(id);
    if (row !== undefined)
      this.cache.tables.commit([["object", id, { ...row, status: { ...row.status, ...changes } }]]);
  }

  protected setAttribute(
    request: RequestOf<"setxattr" | "removexattr">,
    answer: GiveAnswer,
    again: () => void,
  ): void {
    const { node, name } = request;
    mustBeUsers(name);
    const { status } = this.held(node) ?? this.need(node);
    const before = status.attributes?.[name];
    const isSet = request.kind === "setxattr";
    const flags = isSet ? request.flags : XATTR_REPLACE;
    if ((flags & XATTR_CREATE) !== 0 && before !== undefined) fail(errno.EEXIST);
    if ((flags & XATTR_REPLACE) !== 0 && before === undefined) fail(errno.ENODATA);
    const value = isSet ? Buffer.from(request.value).toString("base64") : undefined;
    const attributes = withAttribute(status.attributes, name, value);
    if (attributesBytes(attributes) > ATTRIBUTES_BYTES_MAX) fail(errno.ENOSPC);
    if (status.links === 0) {
      this.keep(node, { attributes });
      answer({ kind: "done" });
      return;
    }
    const record = { op: "setxattr", time: this.time(), id: node, base: status.changed } as const;
    const change = { attribute: name, ...(value === undefined ? {} : { value }) };
    this.append({ ...record, ...change }, answer, again, () => ({ kind: "done" }));
  }
}
