// `proteus call`: the client of the echo server, as the original's performance test.
//
// - Calls one after the other; every byte of an echo is verified.
// - Exit 5 when a call fails (--keep-going counts them and goes on), 1 when an answer is wrong.
// - Ctrl-C and SIGTERM end it after the call in progress; what was measured is shown.

import type { Command } from "@commander-js/extra-typings";
import { parsePort } from "../capability/port.js";
import { ECHO_BYTES_MAX } from "../interface/echo.js";
import { exitCodes, ProteusError, statusError, usageError } from "../kernel/errors.js";
import { startKernel } from "../node/start.js";
import { EchoClient, type EchoKind, echoExecutions } from "../stub/echo.js";
import { collect, untilStopped } from "./foreground.js";
import { emit, narrate } from "./output.js";
import { kernelBytes } from "./package-files.js";
import { parseCount, parseDuration, parseSize } from "./quantity.js";

const help = `
Examples:
  proteus call --port e4b2c2985455 --size 0 --count 1000
  proteus call --port e4b2c2985455 --size 1M --count 20 --sink --json
  proteus call --port e4b2c2985455 --executions

Exit codes: 5 when the server cannot be found or stops answering.`;

/** The time of each is kept. */
const callsMax = 10_000_000;

interface Outcome {
  /** Calls made, failed ones too. */
  readonly count: number;
  /** Of each call that succeeded. */
  readonly microseconds: Float64Array;
  readonly failures: Map<string, number>;
  readonly elapsedUs: number;
  /** Of all calls, failed ones too. */
  readonly longestUs: number;
}

/** Adds `call` to the program. */
export function registerCall(program: Command): void {
  program
    .command("call")
    .description("call an echo server and measure it")
    .requiredOption("--port <port>", "the server's put-port")
    .option("--size <bytes>", "data of each call: 1402, 64K, 1M", "0")
    .option("--count <calls>", "how many calls", "1")
    .option("--sink", "data in, empty reply", false)
    .option("--reverse", "empty request, data back", false)
    .option("--executions", "only ask how many calls the server has executed", false)
    .option("--interface <name>", "network to call on: eth0, serial:…, ip:…; may be repeated", collect, [])
    .option("--timeout <duration>", "give up after this", "60s")
    .option("--locate-timeout <duration>", "how long a call looks for its port", "5s")
    .option("--poll <duration>", "silence before the server is asked whether it lives", "500ms")
    .option("--dead <duration>", "silence before it is taken for dead", "2s")
    .option("--keep-going", "count failed calls instead of stopping at the first", false)
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", help)
    .action(async (options) => {
      const port = parsePort(options.port);
      const size = parseSize(options.size, ECHO_BYTES_MAX);
      const count = parseCount(options.count, callsMax);
      const timeoutMs = parseDuration(options.timeout);
      if (options.sink && options.reverse)
        throw usageError(
          "--sink and --reverse exclude each other",
          "give one of them, or neither for an echo",
        );
      const kind: EchoKind = options.sink ? "sink" : options.reverse ? "source" : "echo";
      const stopped = untilStopped();
      const running = await startKernel({
        wasm: kernelBytes(),
        interfaces: options.interface,
        say: narrate,
        failed: stopped.fail,
        limits: {
          locateTimeoutMs: Math.ceil(Math.min(parseDuration(options.locateTimeout), timeoutMs)),
          pollMs: Math.ceil(parseDuration(options.poll)),
          deadMs: Math.ceil(parseDuration(options.dead)),
        },
      });
      try {
        if (options.executions) {
          const executions = await echoExecutions(running.kernel, port);
          emit("call", options.json, { executions }, () => `executions ${executions}`);
          return;
        }
        const client = new EchoClient(running.kernel, port, kind, size);
        const outcome = await measure(client, count, timeoutMs, options.keepGoing, stopped.promise);
        report(outcome, kind, size, options.json);
      } finally {
        await running.finish();
      }
    });
}

const preciseUs = () => performance.now() * 1000;

/** Makes the calls, each begun by the end of the last; fewer when `stopped` resolves. */
function measure(
  client: EchoClient,
  count: number,
  timeoutMs: number,
  keepGoing: boolean,
  stopped: Promise<void>,
): Promise<Outcome> {
  const times = new Float64Array(count);
  const failures = new Map<string, number>();
  return new Promise((resolve, reject) => {
    const begun = preciseUs();
    let done = 0;
    let good = 0;
    let last = begun;
    let longestUs = 0;
    let wanted = count;
    stopped.then(() => {
      wanted = 0;
    }, reject);
    const next = () => client.call(ended);
    const ended = (status: number, fault: string | undefined) => {
      const now = preciseUs();
      if (status < 0) {
        const error = statusError(status, `call ${done + 1} of ${count}`);
        if (!keepGoing) return reject(error);
        failures.set(error.code, (failures.get(error.code) ?? 0) + 1);
      } else if (fault !== undefined) {
        return reject(wrongAnswer(done + 1, fault));
      } else {
        times[good++] = now - last;
      }
      longestUs = Math.max(longestUs, now - last);
      last = now;
      done++;
      if (done >= wanted) {
        const microseconds = times.subarray(0, good);
        resolve({ count: done, microseconds, failures, elapsedUs: now - begun, longestUs });
      } else if (now - begun > timeoutMs * 1000) reject(timedOut(done, count));
      // A call that ended at once (a full table, a local server) must not grow the stack.
      else if (status < 0) setImmediate(next);
      else next();
    };
    next();
  });
}

function wrongAnswer(call: number, fault: string): ProteusError {
  return new ProteusError({
    code: "ANSWER_WRONG",
    exit: exitCodes.failed,
    message: `call ${call} got a wrong answer`,
    why: fault,
    hint: "check that an echo server of Proteus listens to that port",
  });
}

function timedOut(done: number, count: number): ProteusError {
  return new ProteusError({
    code: "TIMEOUT",
    exit: exitCodes.unreachable,
    message: `only ${done} of ${count} calls in the time given`,
    hint: "give it longer with --timeout, or make fewer calls",
  });
}

const one = (value: number) => value.toFixed(1);

function report(outcome: Outcome, kind: EchoKind, size: number, json: boolean): void {
  const { count, longestUs } = outcome;
  const sorted = outcome.microseconds.slice().sort();
  const quantile = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
  const seconds = outcome.elapsedUs / 1e6;
  const succeeded = sorted.length;
  const bytes = succeeded * size;
  const document = {
    kind,
    size,
    count,
    succeeded,
    failures: Object.fromEntries(outcome.failures),
    bytes,
    seconds,
    megabytesPerSecond: bytes / 1e6 / seconds,
    callsPerSecond: succeeded / seconds,
    meanUs: outcome.elapsedUs / count,
    p50Us: quantile(0.5),
    p99Us: quantile(0.99),
    longestUs,
  };
  emit("call", json, document, () =>
    [
      `${succeeded} of ${count} calls of ${size} bytes (${kind}) in ${seconds.toFixed(3)} s`,
      `${document.megabytesPerSecond.toFixed(1)} MB/s one way, ${document.callsPerSecond.toFixed(0)} calls/s`,
      `per call: mean ${one(document.meanUs)} µs, p50 ${one(document.p50Us)}, p99 ${one(document.p99Us)}`,
      ...[...outcome.failures].map(([code, times]) => `failed: ${times} × ${code}`),
    ].join("\n"),
  );
}
