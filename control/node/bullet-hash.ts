// SHA-256 by the machine's own instructions, for the contents of a Bullet volume.
//
// - The same bytes as the pure one of the simulator, several times as quick.

import { createHash } from "node:crypto";
import type { NewContentHash } from "../server/bullet/volume/hash.js";

export const nodeContentHash: NewContentHash = () => createHash("sha256");
