// If one of these fails, somebody without the token uses a pool over TCP, or a command believes a
// daemon that is none.

import { execFileSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { parseEndpoints } from "../../../../control/node/control/places.js";
import type { TlsAddress } from "../../../../control/node/control/server.js";
import { readTls, readToken } from "../../../../control/node/control/token.js";
import { clientOf, daemon, echo, folder } from "./daemons.js";

describe("a daemon on TCP", () => {
  const token = "0123456789abcdef0123";
  let tls: TlsAddress;

  beforeAll(() => {
    const [key, cert, file] = ["k.pem", "c.pem", "token"].map((name) => join(folder, name));
    if (key === undefined || cert === undefined || file === undefined) throw new Error("no paths");
    const subject = ["-subj", "/CN=proteus", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"];
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    execFileSync("openssl", ["req", "-x509", ...curve, ...subject, "-keyout", key, "-out", cert], {
      stdio: "ignore",
    });
    writeFileSync(file, `${token}\n`, { mode: 0o600 });
    const read = readTls({ host: "127.0.0.1", certificate: cert, key, token: file });
    tls = { host: "127.0.0.1", port: 0, ...read };
  });

  it("answers who has the token and believes its certificate, and nobody else", async () => {
    const { server } = await daemon(undefined, { tls, call: echo });
    const address = server.address ?? "";
    const authority = tls.cert;
    const right = clientOf(address, { authority, token });
    expect(await right.nodes()).toHaveLength(2);
    const reply = await right.call({ port: new Uint8Array(6) }, Uint8Array.of(1, 2, 3), {});
    expect([...reply.data]).toEqual([1, 2, 3]);
    for (const wrong of [`${token}4`, token.slice(1), "", "x".repeat(5000)])
      await expect(clientOf(address, { authority, token: wrong }).nodes()).rejects.toMatchObject({
        ...{ code: "CONTROL_TOKEN", exit: 4 },
      });
    await expect(clientOf(address, { token }).nodes()).rejects.toMatchObject({
      ...{ code: "CONTROL_UNTRUSTED", exit: 4, hint: expect.stringContaining("--control-ca") },
    });
  });

  it("speaks no older TLS, and nothing without it", async () => {
    const { server } = await daemon(undefined, { tls });
    const port = Number(new URL(server.address ?? "").port);
    const asking = new Promise((resolve, reject) => {
      request({ host: "127.0.0.1", port, path: "/v1/nodes", agent: false }, resolve)
        .on("error", reject)
        .end();
    });
    await expect(asking).rejects.toThrow();
    const { connect: connectTls } = await import("node:tls");
    const old = new Promise((resolve, reject) => {
      const options = { host: "127.0.0.1", port, rejectUnauthorized: false };
      connectTls({ ...options, minVersion: "TLSv1.1", maxVersion: "TLSv1.1" }, () => resolve("connected")).on(
        "error",
        reject,
      );
    });
    await expect(old).rejects.toThrow();
    expect(() => parseEndpoints("http://127.0.0.1:1")).toThrow(
      expect.objectContaining({ code: "CONTROL_INVALID", hint: expect.stringContaining("https://") }),
    );
  });

  it("is refused without certificate, key and token, with the way to make them", () => {
    expect(() => readTls({ host: "10.0.0.7", certificate: "", key: "", token: "" })).toThrow(
      expect.objectContaining({
        ...{ code: "CONTROL_TLS", exit: 2, why: expect.stringContaining("control.tls_cert") },
        hint: expect.stringMatching(/openssl req -x509 .*IP:10\.0\.0\.7 .*openssl rand/),
      }),
    );
    const wrong = () => daemon(undefined, { tls: { ...tls, key: Buffer.from("no key") } });
    return expect(wrong()).rejects.toMatchObject({ code: "CONTROL_TLS" });
  });

  it("takes no token that others can read, or that is short", () => {
    const path = join(folder, "other-token");
    const refused = (text: string, mode: number): void => {
      writeFileSync(path, text, { mode });
      chmodSync(path, mode);
      expect(() => readToken(path)).toThrow(expect.objectContaining({ code: "CONTROL_TOKEN_FILE" }));
    };
    for (const mode of [0o640, 0o604, 0o622]) refused(token, mode);
    for (const text of ["", "short", "two words of some length"]) refused(text, 0o600);
    expect(() => readToken(join(folder, "none"))).toThrow(
      expect.objectContaining({ exit: 3, hint: expect.stringContaining("openssl rand") }),
    );
  });
});
