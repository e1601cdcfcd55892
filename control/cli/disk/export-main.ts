// The program of one export, as `proteus disk export` starts it; export-run.ts is what it does.
//
// - No command of `proteus`: nobody types what it is told.
// - Data on its standard streams is described there.

import { runExport } from "./export-run.js";

await runExport();
