// The same system calls on whatever file system a folder is on, with what each of them answered:
//
//   posix-steps FOLDER steps SEED COUNT   a random sequence that the seed names
//   posix-steps FOLDER cases              cases that chance seldom finds
//   posix-steps FOLDER dump               the tree: attributes, attributes by name, contents
//
// - Two file systems that are alike print the same. What is each one's own is not printed: inode numbers,
//   sizes of folders, blocks, access times that reading sets.
// - Set-id bits of files are in the cases alone: the kernel writes without a word to what it was handed
//   before they were set (docs/FILES.md).
// - Needs root: some steps are those of other users. Nothing waits: locks are asked for, never queued for.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/falloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define SLOTS 6
#define BUFFER 262144
#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

static uint64_t seed;
static int slots[SLOTS];
static char buffer[BUFFER] __attribute__((aligned(4096)));
static char longest[257];

static uint32_t chance(uint32_t below) {
  seed = seed * 6364136223846793005ull + 1442695040888963407ull;
  return (uint32_t)(seed >> 33) % below;
}

static const char *errors(int number) {
  const char *name = strerrorname_np(number);
  return name == NULL ? "?" : name;
}

// What a call answered: a number, or its error.
static void answered(long result) {
  if (result < 0) printf(" %s\n", errors(errno));
  else printf(" %ld\n", result);
}
static void good(int result) { answered(result == 0 ? 0 : -1); }

static void shown(const char *name) {
  for (const unsigned char *each = (const unsigned char *)name; *each; each++)
    if (*each > ' ' && *each < 127) putchar(*each);
    else printf("\\%02x", *each);
}

static uint32_t hash(const char *bytes, ssize_t count) {
  uint32_t value = 2166136261u;
  for (ssize_t i = 0; i < count; i++) value = (value ^ (unsigned char)bytes[i]) * 16777619u;
  return value;
}

static void content(long count) {
  if (count < 0) answered(count);
  else printf(" %ld bytes %08x\n", count, hash(buffer, count));
}

static const char *const names[] = {"a", "b", "c", "\xff\x01\n\\", "\xc3\xbcn\xc3\xaf", ".h", longest};
static const char *const folders[] = {"", "", "d/", "e/", "d/s/"};

static char *some(char *path) {
  const uint32_t rare = chance(40);
  if (rare == 0) return strcat(strcpy(path, longest), "x"); // a name that is too long
  if (rare == 1) return strcpy(path, "a/b/c");
  if (rare < 8) {
    static const char *const wholes[] = {"d", "e", "d/s"};
    return strcpy(path, wholes[chance(3)]);
  }
  return strcat(strcpy(path, folders[chance(LENGTH(folders))]), names[chance(LENGTH(names))]);
}

static void print_time(const char *what, struct timespec time) {
  // What was set by hand lies before 2020; what the system set is now.
  if (time.tv_sec < 1577836800) printf(" %s=%ld.%09ld", what, (long)time.tv_sec, time.tv_nsec);
}

static void facts_of(const char *path, const struct stat *facts) {
  shown(path);
  printf(" mode=%o links=%lu %u:%u", facts->st_mode, (unsigned long)facts->st_nlink, facts->st_uid, facts->st_gid);
  if (!S_ISDIR(facts->st_mode)) printf(" size=%ld", (long)facts->st_size);
  if (S_ISCHR(facts->st_mode) || S_ISBLK(facts->st_mode)) printf(" dev=%lx", (unsigned long)facts->st_rdev);
  print_time("mtime", facts->st_mtim);
}

static void become(uid_t user) {
  const gid_t groups[] = {user == 1001 ? 1000 : 2000};
  if (seteuid(0) || setgroups(user == 0 ? 0 : 1, groups) || setegid(user) || seteuid(user)) perror("users"), exit(3);
}

static void fill(uint32_t with, size_t count) {
  for (size_t i = 0; i < count; i++) buffer[i] = (char)(with + i / 7);
}

static int some_flags(void) {
  static const int kinds[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR};
  static const int more[] = {O_CREAT, O_CREAT, O_EXCL | O_CREAT, O_TRUNC, O_APPEND, O_NOFOLLOW, O_DIRECTORY, O_SYNC};
  int flags = kinds[chance(4)] | O_NONBLOCK | O_CLOEXEC;
  for (int i = 0; i < 3; i++)
    if (chance(3) == 0) flags |= more[chance(LENGTH(more))];
  return flags;
}

static int descriptor(void) { return slots[chance(SLOTS)]; }
static off_t place(void) { return (off_t)(chance(3) ? chance(20000) : chance(40) * 4096); }

static void list(const char *path) {
  struct dirent **entries;
  const int count = scandir(path, &entries, NULL, alphasort);
  if (count < 0) return answered(-1);
  for (int i = 0; i < count; i++) {
    putchar(' ');
    shown(entries[i]->d_name);
    printf("/%d", entries[i]->d_type);
    free(entries[i]);
  }
  free(entries);
  putchar('\n');
}

static void attribute_names(const char *path) {
  const ssize_t size = llistxattr(path, buffer, sizeof buffer);
  if (size < 0) return answered(-1);
  const char *all[64];
  size_t count = 0;
  for (char *at = buffer; at < buffer + size && count < LENGTH(all); at += strlen(at) + 1) all[count++] = at;
  for (size_t i = 0; i < count; i++) // each file system has an order of its own
    for (size_t j = i + 1; j < count; j++)
      if (strcmp(all[i], all[j]) > 0) {
        const char *kept = all[i];
        all[i] = all[j];
        all[j] = kept;
      }
  for (size_t i = 0; i < count; i++) printf(" %s", all[i]);
  putchar('\n');
}

static void mapped(int file) {
  struct stat facts;
  if (fstat(file, &facts) || !S_ISREG(facts.st_mode) || facts.st_size < 1) return (void)puts(" none");
  char *map = mmap(NULL, (size_t)facts.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (map == MAP_FAILED) return answered(-1);
  const off_t at = (off_t)chance((uint32_t)facts.st_size);
  const uint32_t before = hash(map, facts.st_size);
  map[at] = (char)chance(256);
  const int synced = chance(2) ? msync(map, (size_t)facts.st_size, MS_SYNC) : 0;
  munmap(map, (size_t)facts.st_size);
  printf(" %08x", before);
  good(synced);
}

static void direct(const char *path) {
  const int file = open(path, O_RDWR | O_CREAT | O_DIRECT | O_NONBLOCK | O_NOFOLLOW, 0644);
  if (file < 0) return answered(-1);
  fill(chance(256), 8192);
  const long written = pwrite(file, buffer, 8192, (off_t)chance(4) * 4096);
  printf(" wrote %s %ld,", written < 0 ? errors(errno) : "", written);
  const long found = pread(file, buffer, 16384, 0);
  close(file);
  content(found);
}

static void times_of(const char *path) {
  static const struct timespec moments[] = {
      {981173106, 123456789}, {1, 0}, {1500000000, 999999999}, {0, UTIME_NOW}, {0, UTIME_OMIT}};
  const struct timespec wanted[] = {moments[chance(LENGTH(moments))], moments[chance(LENGTH(moments))]};
  const int result = utimensat(AT_FDCWD, path, wanted, AT_SYMLINK_NOFOLLOW);
  const int reason = errno;
  struct stat facts;
  if (result == 0 && lstat(path, &facts) == 0 && wanted[0].tv_nsec < 1000000000) print_time("atime", facts.st_atim);
  errno = reason;
  good(result);
}

static void locked(int file) {
  if (chance(2)) {
    static const int kinds[] = {LOCK_SH, LOCK_EX, LOCK_UN};
    return good(flock(file, kinds[chance(3)] | LOCK_NB));
  }
  static const short kinds[] = {F_RDLCK, F_WRLCK, F_UNLCK};
  struct flock lock = {.l_type = kinds[chance(3)], .l_whence = SEEK_SET, .l_start = chance(100), .l_len = chance(100)};
  good(fcntl(file, F_OFD_SETLK, &lock));
}

static void one(uint32_t number) {
  char first[1024], second[1024];
  some(first), some(second);
  const uid_t user = chance(4) ? 0 : 1000 + chance(2);
  const int file = descriptor();
  const uint32_t kind = chance(44);
  become(user);
  printf("%u u%u ", number, user);
  struct stat facts;
  ssize_t size;
  switch (kind) {
  case 0:
  case 1:
  case 2:
  case 3: {
    const uint32_t slot = chance(SLOTS);
    const int flags = some_flags(), opened = open(first, flags, 0600 | chance(0200));
    printf("open "), shown(first), printf(" %o", flags), good(opened < 0 ? -1 : 0);
    if (opened < 0) return;
    close(slots[slot]);
    slots[slot] = opened;
    return;
  }
  case 4:
    return printf("close"), good(close(file));
  case 5:
  case 6:
  case 7:
    size = (ssize_t)(chance(4) ? chance(6000) : chance(BUFFER));
    fill(number, (size_t)size);
    return printf("write %ld", (long)size), answered(write(file, buffer, (size_t)size));
  case 8:
  case 9:
    fill(number, 3000);
    return printf("pwrite"), answered(pwrite(file, buffer, 3000, place()));
  case 10:
    return printf("read"), content(read(file, buffer, chance(50000)));
  case 11:
    return printf("pread"), content(pread(file, buffer, chance(50000), place()));
  case 12:
    return printf("ftruncate"), good(ftruncate(file, place()));
  case 13:
    return printf("truncate "), shown(first), good(truncate(first, place()));
  case 14:
  case 15: {
    static const int modes[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_PUNCH_HOLE};
    const int mode = modes[chance(LENGTH(modes))];
    const off_t at = place(), length = place();
    return printf("fallocate %d %ld %ld", mode, (long)at, (long)length), good(fallocate(file, mode, at, length));
  }
  case 16: {
    static const int whences[] = {SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE};
    const int whence = whences[chance(LENGTH(whences))];
    const off_t at = place();
    printf("lseek %d %ld", whence, (long)at);
    if (fstat(file, &facts) == 0 && S_ISDIR(facts.st_mode)) return (void)puts(" in a folder");
    const off_t result = lseek(file, at, whence);
    // What was allocated and not written is data or a hole as the system's cache has it: `holes` asks for others.
    if (whence >= SEEK_DATA && (result >= 0 || errno == ENXIO)) return (void)puts(" found or not");
    return answered(result);
  }
  case 17:
    printf("fstat");
    if (fstat(file, &facts)) return answered(-1);
    facts_of("", &facts);
    return (void)puts("");
  case 18:
  case 19:
    printf("lstat ");
    if (lstat(first, &facts)) return shown(first), answered(-1);
    facts_of(first, &facts);
    return (void)puts("");
  case 20:
  case 21:
  case 22: {
    static const unsigned kinds[] = {0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_NOREPLACE | RENAME_EXCHANGE};
    const unsigned flags = kinds[chance(LENGTH(kinds))];
    printf("rename %u ", flags), shown(first), printf(" "), shown(second);
    return good(renameat2(AT_FDCWD, first, AT_FDCWD, second, flags));
  }
  case 23:
    return printf("link "), shown(first), printf(" "), shown(second), good(link(first, second));
  case 24:
    return printf("symlink "), shown(first), printf(" "), shown(second), good(symlink(first, second));
  case 25:
    return printf("readlink "), shown(first), content(readlink(first, buffer, 1 + chance(20)));
  case 26:
    return printf("unlink "), shown(first), good(unlink(first));
  case 27:
  case 28:
    return printf("mkdir "), shown(first), good(mkdir(first, 0700 | chance(0100) | (chance(4) ? 0 : S_ISGID)));
  case 29:
    return printf("rmdir "), shown(first), good(rmdir(first));
  case 30: {
    static const mode_t kinds[] = {S_IFIFO, S_IFSOCK, S_IFREG, S_IFDIR};
    return printf("mknod "), shown(first), good(mknod(first, kinds[chance(4)] | 0640, 0));
  }
  case 31:
  case 32:
    return printf("chmod "), shown(first), good(chmod(first, chance(3) ? 0700 | chance(0100) : chance(02000)));
  case 33: {
    static const uid_t users[] = {0, 1000, 1001, (uid_t)-1};
    const uid_t owner = users[chance(4)], group = users[chance(4)];
    return printf("chown "), shown(first), good(lchown(first, owner, group));
  }
  case 34:
    return printf("times "), shown(first), times_of(first);
  case 35:
  case 36: {
    static const char *const kinds[] = {"user.a", "user.b", "user.\xff", "other.a", "user."};
    const char *name = kinds[chance(LENGTH(kinds))];
    const int how = (int)chance(6);
    printf("attribute %d ", how), shown(name), printf(" "), shown(first);
    fill(number, 300);
    if (how < 3) return good(lsetxattr(first, name, buffer, chance(300), how));
    if (how == 3) return content(lgetxattr(first, name, buffer, chance(400)));
    if (how == 4) return good(lremovexattr(first, name));
    return attribute_names(first);
  }
  case 37:
    return printf("access "), shown(first), good(faccessat(AT_FDCWD, first, (int)chance(8), AT_EACCESS));
  case 38:
    return printf("list "), shown(first), list(chance(2) ? "." : first);
  case 39:
    return printf("map"), mapped(file);
  case 40:
    return printf("direct "), shown(first), direct(first);
  case 41:
    return printf("lock"), locked(file);
  case 42: {
    const int other = descriptor();
    off_t from = place(), to = place();
    if (chance(2)) return printf("copy"), answered(copy_file_range(file, &from, other, &to, 9000, 0));
    return printf("send"), answered(sendfile(other, file, &from, 9000));
  }
  default:
    return printf("sync"), good(chance(2) ? fsync(file) : fdatasync(file));
  }
}

#include "posix-cases.h"

static void dump(const char *path) {
  struct stat facts;
  if (lstat(path, &facts)) return (void)(shown(path), answered(-1));
  facts_of(path, &facts);
  if (S_ISREG(facts.st_mode)) {
    const int file = open(path, O_RDONLY | O_NOFOLLOW);
    uint32_t value = 0;
    for (ssize_t count; (count = read(file, buffer, sizeof buffer)) > 0;) value = value * 31 + hash(buffer, count);
    printf(" %08x", value), close(file);
  }
  if (S_ISLNK(facts.st_mode)) return content(readlink(path, buffer, sizeof buffer));
  attribute_names(path);
  if (!S_ISDIR(facts.st_mode)) return;
  struct dirent **entries;
  const int count = scandir(path, &entries, NULL, alphasort);
  for (int i = 0; i < count; i++) {
    const char *name = entries[i]->d_name;
    char below[4096];
    if (strcmp(name, ".") && strcmp(name, "..") && snprintf(below, sizeof below, "%s/%s", path, name) > 0) dump(below);
    free(entries[i]);
  }
  if (count >= 0) free(entries);
}

int main(int count, char **words) {
  if (count < 3 || chdir(words[1])) return perror("posix-steps FOLDER steps SEED COUNT | cases | dump"), 2;
  umask(022);
  memset(longest, 'L', 255);
  if (!strcmp(words[2], "dump")) return dump("."), 0;
  if (!strcmp(words[2], "cases")) {
    for (size_t i = 0; i < LENGTH(cases); i++) {
      char own[64];
      snprintf(own, sizeof own, "case-%s", cases[i].name);
      printf("== %s\n", cases[i].name);
      if (mkdir(own, 0777) || chmod(own, 0777) || chdir(own)) return perror(own), 3;
      cases[i].run();
      become(0);
      if (chdir("..")) return perror(".."), 3;
    }
    return 0;
  }
  if (count < 5) return 2;
  seed = strtoull(words[3], NULL, 10) * 2 + 1;
  for (int i = 0; i < SLOTS; i++) slots[i] = -1;
  static const char *const made[] = {"d", "e", "d/s"};
  for (size_t i = 0; i < LENGTH(made); i++)
    if (mkdir(made[i], 0777) || chmod(made[i], 0777)) return perror(made[i]), 3;
  const uint32_t steps = (uint32_t)strtoul(words[4], NULL, 10);
  for (uint32_t i = 0; i < steps; i++) one(i);
  become(0);
  return 0;
}
