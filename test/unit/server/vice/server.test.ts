// Vice over RPC: capabilities and rights, volumes that outlive the server, and breaks that reach the
// client that holds a promise.

import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { passingSecrets } from "../../../../control/capability/secrets.js";
import { pastSchema, versionsSchema } from "../../../../control/interface/file-history.js";
import { idOf, ROOT_ID } from "../../../../control/interface/file-status.js";
import { venusTable } from "../../../../control/interface/venus.js";
import { entriesSchema, helloSchema, viceTable, volumeSchema } from "../../../../control/interface/vice.js";
import { fromHex } from "../../../../control/kernel/bytes.js";
import { ViceServer } from "../../../../control/server/vice/server.js";
import { stub } from "../../../../control/stub/client.js";
import { Objects } from "../../../../control/stub/objects.js";
import { Server } from "../../../../control/stub/serving.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { MemoryFolder } from "../../../../drivers/memory/folder.js";
import { Pool } from "../../stub/pool.js";

const ids = (document: object): number[] => (document as { ids: number[] }).ids;

class Vice extends Pool {
  readonly folders = new Map<number, MemoryFolder>();
  readonly secrets = passingSecrets(this.random);
  server = this.serve();
  readonly broken: number[][] = [];
  readonly hurried: number[] = [];
  readonly #objects = new Objects<never>({ random: this.random });
  readonly venus = new Server({
    ...{ ...this.given(this.near), key: this.random(32), table: venusTable, objects: this.#objects },
    info: () => "venus",
    handlers: {
      break: (_, given) => {
        this.broken.push(ids(given.ids));
        return {};
      },
      probe: () => ({}),
      hurry: (_, { fence }) => {
        this.hurried.push(fence);
        return {};
      },
    },
  });

  serve(): ViceServer {
    const folderFor = (number: number): MemoryFolder => {
      const folder = new MemoryFolder({ random: new SeededRandom(number) });
      this.folders.set(number, folder);
      return folder;
    };
    return new ViceServer({
      ...{
        kernel: this.far,
        ...this.secrets,
        getPort: this.secrets.getPort,
        key: this.secrets.key,
        own: this.secrets.own,
      },
      ...{
        folderFor,
        discard: (number: number) => {
          this.folders.delete(number);
          return async () => undefined;
        },
        volumes: [...this.folders],
        newDigest: () => createHash("sha256"),
        random: this.random,
      },
      ...{ time: () => 1000, now: () => this.far.turnedAt / 1000, failed: this.failed },
      after: () => () => undefined,
    });
  }

  async volume(name = "home") {
    const { volume } = await this.end(
      stub(this.near, viceTable, this.server.capability()).make({
        name,
        semantics: "session",
        policy: "both",
        owner: 7,
      }),
    );
    return volume;
  }
}

describe("vice over RPC", () => {
  it("makes volumes, and gives them to those who may have them", async () => {
    const vice = new Vice();
    const volume = await vice.volume();
    const server = stub(vice.near, viceTable, vice.server.capability());
    expect(
      await vice.refused(server.make({ name: "home", semantics: "session", policy: "both", owner: 0 })),
    ).toBe("STD_EXISTS");
    expect(
      await vice.refused(server.make({ name: "../x", semantics: "session", policy: "both", owner: 0 })),
    ).toBe("STD_ARGBAD");
    const reader = stub(vice.near, viceTable, vice.server.capability(1));
    expect(await vice.refused(reader.volumes())).toBe("STD_DENIED");
    const described = (await vice.end(stub(vice.near, viceTable, volume).describe())).volume;
    expect(volumeSchema.parse(described)).toMatchObject({
      name: "home",
      objects: 1,
      bytes: 0,
      semantics: "session",
    });
    // A server that was started anew has it under the same capability, until that is revoked.
    vice.server.close();
    for (const folder of vice.folders.values()) {
      folder.kill();
      folder.restart();
    }
    vice.server = vice.serve();
    const again = stub(vice.near, viceTable, volume);
    expect(volumeSchema.parse((await vice.end(again.describe())).volume).name).toBe("home");
    const { capability } = await vice.end(again.revoke());
    expect(await vice.refused(again.describe())).toBe("STD_CAPBAD");
    await vice.end(stub(vice.near, viceTable, capability).describe());
    expect(vice.failures).toEqual([]);
  });

  it("deletes an empty volume, another one only by force", async () => {
    const vice = new Vice();
    const calls = stub(vice.near, viceTable, await vice.volume());
    await vice.end(calls.change({ quota: 5 }));
    const quota = async () => volumeSchema.parse((await vice.end(calls.describe())).volume).quota;
    expect(await quota()).toBe(5);
    const uuid = new Uint8Array(16).fill(1);
    const { hello } = await vice.end(calls.hello({ uuid, port: new Uint8Array(6), machine: "m" }));
    const { venus, session: hex } = helloSchema.parse(hello);
    const session = fromHex(hex) ?? new Uint8Array(8);
    const file = { op: "make", n: 1, id: idOf(venus, 1), directory: ROOT_ID, name: "f", mode: 0o100644 };
    const records = { records: [{ ...file, uid: 7, gid: 7, checked: true, time: [1, 0] }] };
    await vice.end(calls.reintegrate({ session, records }));
    expect(await vice.refused(calls.erase({ force: 0 }))).toBe("STD_NOTNOW");
    expect(await quota()).toBe(5);
    await vice.end(calls.erase({ force: 1 }));
    expect([...vice.folders.keys()]).toEqual([]);
    expect(await vice.refused(calls.describe())).toBe("STD_CAPBAD");
    // Its name is free, and the old capability is not the new volume's.
    const next = stub(vice.near, viceTable, await vice.volume());
    await vice.end(next.erase({ force: 0 }));
    expect(await vice.refused(calls.describe())).toBe("STD_CAPBAD");
    expect(vice.failures).toEqual([]);
  });

  it("takes a client's records, shows them to another one, and tells it when they change", async () => {
    const vice = new Vice();
    const volume = await vice.volume();
    const begin = async (letter: number, port: Uint8Array) => {
      const calls = stub(vice.near, viceTable, volume);
      const uuid = new Uint8Array(16).fill(letter);
      const { hello } = await vice.end(calls.hello({ uuid, port, machine: "m" }));
      const said = helloSchema.parse(hello);
      return { calls, ...said, session: fromHex(said.session) ?? new Uint8Array(8) };
    };
    const writer = await begin(1, new Uint8Array(6));
    const reader = await begin(2, vice.venus.putPort);
    const id = idOf(writer.venus, 1);
    const hash = createHash("sha256").update("hello").digest("hex");
    const base = { checked: true, time: [1, 0] };
    const store = { ...base, op: "store", id, base: 0, size: 5, hash, mtime: [1, 0] };
    const { next } = await vice.end(
      writer.calls.send({
        session: writer.session,
        record: 2,
        position: 0,
        data: new TextEncoder().encode("hello"),
      }),
    );
    expect(next).toBe(5);
    const make = {
      ...base,
      n: 1,
      op: "make",
      id,
      directory: ROOT_ID,
      name: "f\xff",
      mode: 0o100644,
      uid: 7,
      gid: 7,
    };
    const records = { records: [make, { ...store, n: 2 }] };
    await vice.end(writer.calls.reintegrate({ session: writer.session, records }));
    const directory = ROOT_ID;
    const page = entriesSchema.parse(
      (await vice.end(reader.calls.entries({ session: reader.session, directory, after: new Uint8Array(0) })))
        .entries,
    );
    expect(page.names).toMatchObject([["f\xff", { id, size: 5, hash, uid: 7 }]]);
    const version = page.names[0]?.[1].version ?? 0;
    const given = { session: reader.session, object: id, version, position: 1, length: 100 };
    expect(new TextDecoder().decode((await vice.end(reader.calls.fetch(given))).data)).toBe("ello");
    const touch = { ...base, n: 3, op: "setattr", id, base: 0, mode: 0o600 };
    await vice.end(writer.calls.reintegrate({ session: writer.session, records: { records: [touch] } }));
    expect(vice.broken).toEqual([[id]]);
    const { session } = reader;
    const name = new TextEncoder().encode("f\xff");
    const { versions } = versionsSchema.parse(
      (await vice.end(reader.calls.versions({ session, directory, name, after: 0 }))).versions,
    );
    expect(versions).toMatchObject([{ machine: "m", until: 0, status: { id, version, size: 5 } }]);
    const asked = { session, moment: versions[0]?.from ?? 0, object: ROOT_ID, after: new Uint8Array(0) };
    const past = pastSchema.parse((await vice.end(reader.calls.past(asked))).past);
    expect(past.names).toMatchObject([["f\xff", { id, mode: 0o100644 }]]);
    await vice.end(reader.calls.remember({ seconds: 60 }));
    expect(volumeSchema.parse((await vice.end(reader.calls.describe())).volume).history).toBe(60);
    expect(await vice.refused(reader.calls.remember({ seconds: 2 ** 31 }))).toBe("STD_ARGBAD");
    expect(
      await vice.refused(
        writer.calls.reintegrate({ session: writer.session, records: { records: [{ n: 4 }] } }),
      ),
    ).toBe("STD_ARGBAD");
    expect(await vice.refused(reader.calls.keep({ session: new Uint8Array(8) }))).toBe("STD_NOTNOW");
    const readOnly = await vice.end(stub(vice.near, viceTable, volume).restrict({ mask: 1 }));
    const denied = stub(vice.near, viceTable, readOnly.capability);
    expect(await vice.refused(denied.remember({ seconds: 1 }))).toBe("STD_DENIED");
    expect(await vice.refused(denied.reintegrate({ session: reader.session, records }))).toBe("STD_DENIED");
    expect(vice.failures).toEqual([]);
  });

  it("gives a permit, and has the holder hurry when another client asks", async () => {
    const vice = new Vice();
    const volume = await vice.volume();
    const calls = stub(vice.near, viceTable, volume);
    const begin = async (letter: number, port: Uint8Array): Promise<Uint8Array> => {
      const uuid = new Uint8Array(16).fill(letter);
      const { hello } = await vice.end(calls.hello({ uuid, port, machine: "m" }));
      return fromHex(helloSchema.parse(hello).session) ?? new Uint8Array(8);
    };
    const holder = await begin(1, vice.venus.putPort);
    const other = await begin(2, new Uint8Array(6));
    expect((await vice.end(calls.permit({ session: other, fence: 0 }))).fence).toBe(0); // nobody hears it
    expect((await vice.end(calls.permit({ session: holder, fence: 0 }))).fence).toBe(1);
    const look = { session: other, ids: { ids: [ROOT_ID] } };
    expect(await vice.refused(calls.getstatus(look))).toBe("STD_INTR");
    expect(await vice.refused(calls.erase({ force: 0 }))).toBe("STD_NOTNOW"); // it may have made something
    await vice.end(calls.keep({ session: holder }));
    expect(vice.hurried).toEqual([1]);
    await vice.end(calls.permit({ session: holder, fence: 1 }));
    await vice.end(calls.getstatus(look));
    const readOnly = await vice.end(calls.restrict({ mask: 1 }));
    const denied = stub(vice.near, viceTable, readOnly.capability);
    expect(await vice.refused(denied.permit({ session: holder, fence: 0 }))).toBe("STD_DENIED");
    expect(vice.failures).toEqual([]);
  });
});
