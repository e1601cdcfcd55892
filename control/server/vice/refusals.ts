// What a folder's or the tables' errors are to a client: statuses of the vice table.
//
// - No room is STD_NOSPACE: the client's log waits.
// - Everything else stays what it is: the server's own trouble.

import { STD_NOSPACE } from "../../../core-wasm/status.js";
import { FolderError } from "../../../drivers/folder.js";
import { RecoverableError } from "../../recoverable/tables.js";
import { refuse } from "../../stub/refused.js";

export function refusal(error: unknown): unknown {
  const isFull =
    (error instanceof FolderError && error.code === "FOLDER_FULL") ||
    (error instanceof RecoverableError && error.code === "RECOVERABLE_FULL");
  return isFull ? asRefused(STD_NOSPACE) : error;
}

function asRefused(status: number): unknown {
  try {
    return refuse(status);
  } catch (refused) {
    return refused;
  }
}

export function onFolder<Value>(work: () => Value): Value {
  try {
    return work();
  } catch (error) {
    throw refusal(error);
  }
}
