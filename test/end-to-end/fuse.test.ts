// FUSE without libfuse on the real system: a file system in memory, mounted in a mount namespace of its
// own, used by ordinary programs. If one of these fails, no file system of ours can be mounted.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mountsAt } from "../../drivers/fuse/mount.js";
import { isRoot, within } from "./programs.js";

const program = fileURLToPath(new URL("fuse-memory.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "fuse-"));
const target = join(folder, "mount");

describe.runIf(isRoot)("a mounted file system", () => {
  /** Keeps the namespace: nothing of this is ever visible in the system's own. */
  let keeper: ChildProcess;
  let serving: ChildProcess;

  const inside = (command: string, input?: string) => {
    const arguments_ = ["-t", String(keeper.pid), "-m", "sh", "-ec", command];
    const { status, stdout, stderr } = spawnSync("nsenter", arguments_, {
      ...{ encoding: "utf8", timeout: 60_000, input, cwd: "/" },
      env: { ...process.env, M: target, LC_ALL: "C" },
    });
    return { status, stdout, stderr };
  };
  const must = (command: string, input?: string): string => {
    const outcome = inside(command, input);
    expect({ command, ...outcome }).toMatchObject({ command, status: 0 });
    return outcome.stdout;
  };
  const serve = async () => {
    serving = spawn("nsenter", ["-t", String(keeper.pid), "-m", process.execPath, program, target], {
      stdio: ["ignore", "pipe", "inherit"],
      cwd: "/",
    });
    if (serving.stdout === null) throw new Error("it has no output");
    const lines = createInterface({ input: serving.stdout })[Symbol.asyncIterator]();
    // INIT comes with the first use.
    expect(await within("the mount", lines.next())).toMatchObject({ value: "mounted" });
  };
  const ended = () => within("the end", new Promise((resolve) => serving.once("exit", resolve)));

  beforeAll(async () => {
    mkdirSync(target);
    keeper = spawn(
      "unshare",
      ["-m", "--propagation", "private", "sh", "-c", "echo ready; exec sleep infinity"],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const { stdout } = keeper;
    if (stdout === null) throw new Error("the keeper has no output");
    await within("the namespace", new Promise((resolve) => stdout.once("data", resolve)));
    await serve();
  });
  afterAll(async () => {
    inside('umount -l "$M"');
    serving.kill("SIGKILL");
    keeper.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });

  it("is in its namespace alone", () => {
    expect(mountsAt(target)).toEqual([]);
    expect(must('grep "$M" /proc/mounts')).toContain("fuse.proteus");
  });

  it("keeps what is written, and shows it to all who read", () => {
    must('cat > "$M/file"', "hello\n");
    expect(must('cat "$M/file"; stat -c "%s %a %h %F" "$M/file"')).toBe("hello\n6 644 1 regular file\n");
    must('head -c 3000000 /dev/urandom > "$M/random"; cp "$M/random" "$M/copy"; cmp "$M/random" "$M/copy"');
    must('echo more >> "$M/file"; truncate -s 3 "$M/copy"');
    expect(must('cat "$M/file" | wc -c; stat -c %s "$M/copy"')).toBe("11\n3\n");
  });

  it("has directories, links, special files, and renames in one step", () => {
    must(
      'cd "$M" && mkdir -p a/b/c && echo x > a/b/c/x && ln -s b a/link && ln a/b/c/x a/hard && mkfifo a/pipe',
    );
    expect(must('cd "$M" && cat a/link/c/x a/hard && stat -c %h a/hard && ls -A a')).toBe(
      "x\nx\n2\nb\nhard\nlink\npipe\n",
    );
    must('cd "$M" && echo y > a/y && mv a/y a/hard && mv a/b d && rmdir d/c 2>/dev/null && exit 1; true');
    expect(must('cd "$M" && cat a/hard d/c/x && stat -c %h d/c/x')).toBe("y\nx\n1\n");
    expect(inside('cd "$M" && mv d d/c/below').status).toBe(1);
    must('cd "$M" && rm -r a d && test ! -e a');
  });

  it("keeps owners, modes, times, attributes and names of every byte", () => {
    must(
      'cd "$M" && echo > f && chown 1234:4321 f && chmod 2750 f && touch -d "2001-02-03 04:05:06.123456789 UTC" f',
    );
    expect(must('cd "$M" && TZ=UTC stat -c "%u %g %a %y" f')).toBe(
      "1234 4321 2750 2001-02-03 04:05:06.123456789 +0000\n",
    );
    must(`cd "$M" && n=$(printf 'a\\377\\nb') && echo odd > "$n" && test "$(cat "$n")" = odd && rm "$n"`);
  });

  it("lists a large directory whole, while names go", () => {
    must('cd "$M" && mkdir many && cd many && for i in $(seq 1500); do : > f$i; done');
    expect(must('ls "$M/many" | wc -l; find "$M/many" -type f | sort -u | wc -l')).toBe("1500\n1500\n");
    must('rm -r "$M/many"');
  });

  it("is a place for archives", () => {
    must(
      'cd "$M" && mkdir t && cd t && tar -C /usr/include -cf - linux | tar xf - && diff -r /usr/include/linux linux',
    );
    must('rm -r "$M/t"');
  });

  it("is taken off and put on again after its program was killed", async () => {
    serving.kill("SIGKILL");
    await ended();
    expect(inside('ls "$M"').stderr).toMatch(/Transport endpoint|connection abort/);
    await serve();
    expect(must('ls "$M"')).toBe("");
    expect(must('grep -c "$M " /proc/mounts')).toBe("1\n");
  });

  it("ends in order with SIGTERM", async () => {
    serving.kill("SIGTERM");
    await ended();
    expect(must('ls "$M"; grep -c "$M " /proc/mounts || true')).toBe("0\n");
    await serve();
  });
});
