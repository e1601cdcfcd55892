// A kernel without a network for tests of disks: digests and maps of bits need its memory.

import { Digests } from "../../../../control/kernel/digests.js";
import { Room } from "../../kernel/booted.js";

/** The one kernel of a test file. */
export const kernel = new Room().kernel();
export const digests = new Digests(kernel);
