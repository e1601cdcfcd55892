// A vitest reporter that writes what scripts/test.mjs adds up.
//
// - PROTEUS_REPORT names the file: {passed, failed, failures: [{name, reason}], skipped: the same,
//   unended: files that have begun and not ended}. It is written whenever a file begins or ends, so
//   that a run which has to be stopped tells where it was.
// - A test file that does not load, and an error outside of any test, count as failed:
//   vitest's own totals leave them out.

import { renameSync, writeFileSync } from "node:fs";

const reasonBytes = 600;

/** What an error says, on one line and not all of a long one. */
function reasonOf(errors) {
  const text = (errors ?? []).map(({ message }) => String(message)).join("; ");
  return text.replace(/\s+/g, " ").slice(0, reasonBytes);
}

export default class TestReporter {
  #begun = new Set();
  #ended = [];

  onTestModuleStart(module) {
    this.#begun.add(module.relativeModuleId);
    this.#write(this.#ended, []);
  }

  onTestModuleEnd(module) {
    this.#begun.delete(module.relativeModuleId);
    this.#ended.push(module);
    this.#write(this.#ended, []);
  }

  onTestRunEnd(modules, unhandledErrors) {
    this.#begun.clear();
    this.#write(modules, unhandledErrors);
  }

  #write(modules, unhandledErrors) {
    const report = { passed: 0, failed: 0, failures: [], skipped: [], unended: [...this.#begun] };
    const fails = (name, errors) => {
      report.failed += 1;
      report.failures.push({ name, reason: reasonOf(errors) });
    };
    for (const error of unhandledErrors) fails("outside of any test", [error]);
    for (const module of modules) {
      const file = module.relativeModuleId;
      if (module.errors().length > 0) fails(file, module.errors());
      for (const suite of module.children.allSuites())
        if (suite.errors().length > 0) fails(`${file}: ${suite.fullName}`, suite.errors());
      for (const test of module.children.allTests()) {
        const name = `${file}: ${test.fullName}`;
        const result = test.result();
        if (result.state === "passed") report.passed += 1;
        else if (result.state === "failed") fails(name, result.errors);
        else report.skipped.push({ name, reason: result.note ?? "" });
      }
    }
    const path = process.env.PROTEUS_REPORT;
    if (!path) return;
    writeFileSync(`${path}.new`, JSON.stringify(report));
    renameSync(`${path}.new`, path); // whole, whenever this is stopped
  }
}
