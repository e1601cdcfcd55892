// Everything that may be wrong with a link, in every mixture: what each kind of host and wire is tried with.
//
// - Shares of frames: lost, doubled, overtaken, and with a bit that is not as it was sent.

import type { Faults } from "../../../drivers/fault/faults.js";

const shares = { loss: [0, 0.05, 0.2], duplicate: [0, 0.2], reorder: [0, 0.2], corrupt: [0, 0.03] };

export const faultGrid: readonly Partial<Faults>[] = shares.loss.flatMap((loss) =>
  shares.duplicate.flatMap((duplicate) =>
    shares.reorder.flatMap((reorder) =>
      shares.corrupt.map((corrupt): Partial<Faults> => ({ loss, duplicate, reorder, corrupt })),
    ),
  ),
);
