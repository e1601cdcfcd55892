// A vitest reporter that writes what scripts/test.mjs adds up.
//
// - PROTEUS_REPORT names the file: {passed, failed, skipped: [{name, reason}]}.
// - A test file that does not load, and an error outside of any test, count as failed:
//   vitest's own totals leave them out.

import { writeFileSync } from "node:fs";

export default class TestReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const report = { passed: 0, failed: unhandledErrors.length, skipped: [] };
    for (const module of modules) {
      if (module.errors().length > 0) report.failed += 1;
      for (const suite of module.children.allSuites()) report.failed += suite.errors().length > 0 ? 1 : 0;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === "passed") report.passed += 1;
        else if (result.state === "failed") report.failed += 1;
        else
          report.skipped.push({
            name: `${module.relativeModuleId}: ${test.fullName}`,
            reason: result.note ?? "",
          });
      }
    }
    if (process.env.PROTEUS_REPORT) writeFileSync(process.env.PROTEUS_REPORT, JSON.stringify(report));
  }
}
