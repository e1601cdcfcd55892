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

// Cases by hand.

static int make(const char *path, const char *text, mode_t mode) {
  const int file = open(path, O_CREAT | O_TRUNC | O_RDWR, 0600);
  if (file < 0 || write(file, text, strlen(text)) < 0 || fchmod(file, mode)) perror(path);
  return file;
}

static void look(const char *path) {
  struct stat facts;
  printf("  ");
  if (lstat(path, &facts)) shown(path), answered(-1);
  else facts_of(path, &facts), puts("");
}

static void holes(void) {
  const int file = make("sparse", "", 0644);
  pwrite(file, "x", 1, 1 << 20);
  pwrite(file, "x", 1, 3 << 20);
  for (off_t at = 0; at <= 4 << 20; at += 1 << 19) {
    printf("data %ld:", (long)at), answered(lseek(file, at, SEEK_DATA));
    printf("hole %ld:", (long)at), answered(lseek(file, at, SEEK_HOLE));
  }
  printf("punch"), good(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1 << 20, 4096));
  printf("data:"), answered(lseek(file, 0, SEEK_DATA));
  printf("allocate"), good(fallocate(file, 0, 4 << 20, 4096)), look("sparse");
  printf("keep size"), good(fallocate(file, FALLOC_FL_KEEP_SIZE, 8 << 20, 4096)), look("sparse");
  printf("zero"), good(fallocate(file, FALLOC_FL_ZERO_RANGE, 3 << 20, 4096));
  printf("read"), content(pread(file, buffer, 10, 3 << 20));
  printf("no length"), good(fallocate(file, 0, 0, 0));
  close(file);
}

static void set_id(void) {
  static const char *const ways[] = {"write", "truncate", "chown", "chmod", "open", "fallocate", "map", "write as root"};
  for (size_t i = 0; i < LENGTH(ways); i++)
    for (int early = 0; early < 2; early++) {
      // The file is open before it gets the bits, or after that. The kernel writes without a word to what was
      // handed to it before: docs/FILES.md.
      if (early && i == 0) continue;
      become(0);
      close(make("setid", "0123456789", 0666));
      if (chown("setid", 1000, 1000)) perror("chown");
      int file = early ? open("setid", O_RDWR) : -1;
      become(1000);
      if (chmod("setid", 06777)) perror("chmod");
      become(i == LENGTH(ways) - 1 ? 0 : 1001);
      if (file < 0) file = open("setid", O_RDWR);
      printf("%s %d:", ways[i], early);
      switch (i) {
      case 0:
      case 7:
        answered(write(file, "y", 1));
        break;
      case 1:
        good(ftruncate(file, 5));
        break;
      case 2:
        become(1000), good(chown("setid", 1000, 1000));
        break;
      case 3:
        become(1001), good(chmod("setid", 0600));
        break;
      case 4:
        close(open("setid", O_WRONLY | O_TRUNC)), puts("");
        break;
      case 5:
        good(fallocate(file, 0, 0, 8192));
        break;
      default: {
        char *map = mmap(NULL, 10, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (map != MAP_FAILED) map[0] = 'z', munmap(map, 10);
        puts("");
      }
      }
      close(file), look("setid");
    }
  become(0), unlink("setid");
}

static void sticky(void) {
  mkdir("tmp", 0700), chmod("tmp", 01777);
  become(1000), close(make("tmp/own", "x", 0666)), mkdir("tmp/folder", 0777);
  become(1001), close(make("tmp/other", "y", 0666));
  printf("unlink"), good(unlink("tmp/own"));
  printf("rename away"), good(rename("tmp/own", "tmp/mine"));
  printf("rename over"), good(rename("tmp/other", "tmp/own"));
  printf("rmdir"), good(rmdir("tmp/folder"));
  printf("exchange"), good(renameat2(AT_FDCWD, "tmp/other", AT_FDCWD, "tmp/own", RENAME_EXCHANGE));
  printf("attribute"), good(setxattr("tmp", "user.x", "1", 1, 0));
  become(1000), printf("of its owner"), good(unlink("tmp/own"));
  become(0), look("tmp"), look("tmp/other"), look("tmp/own");
  mkdir("group", 0700), chown("group", 0, 1000), chmod("group", 02777);
  become(1001), close(make("group/file", "", 0644)), mkdir("group/folder", 0755);
  become(0), look("group/file"), look("group/folder");
}

// Which times a call moves, of what it is done to and of the folders.
static void moved(const char *what, int result, const char *paths[], struct stat before[], size_t count) {
  printf("%s:", what);
  for (size_t i = 0; i < count; i++) {
    struct stat after;
    if (lstat(paths[i], &after) || before[i].st_ino == 0) continue;
    const int modified = memcmp(&before[i].st_mtim, &after.st_mtim, sizeof after.st_mtim) != 0;
    const int changed = memcmp(&before[i].st_ctim, &after.st_ctim, sizeof after.st_ctim) != 0;
    putchar(' '), shown(paths[i]), printf("%s%s", modified ? "+m" : "", changed ? "+c" : "");
  }
  good(result);
}
#define MOVED(what, call)                                                                                            \
  do {                                                                                                               \
    const char *paths[] = {"x", "x/f", "x/g", "x/n", "y", "y/f"};                                                    \
    struct stat before[LENGTH(paths)] = {0};                                                                         \
    for (size_t i = 0; i < LENGTH(paths); i++) lstat(paths[i], &before[i]);                                          \
    usleep(12000);                                                                                                   \
    const int result = (int)(call);                                                                                  \
    moved(what, result < 0 ? -1 : 0, paths, before, LENGTH(paths));                                                  \
  } while (0)

static void times(void) {
  mkdir("x", 0755), mkdir("y", 0755);
  const int file = make("x/f", "text", 0644);
  MOVED("create", open("x/n", O_CREAT | O_EXCL | O_WRONLY, 0644));
  MOVED("open", open("x/f", O_RDONLY));
  MOVED("open to write", open("x/n", O_WRONLY | O_CREAT, 0644));
  MOVED("open to empty", open("x/n", O_WRONLY | O_TRUNC));
  MOVED("write", write(file, "more", 4));
  MOVED("write nothing", write(file, "", 0));
  MOVED("read", pread(file, buffer, 4, 0));
  MOVED("truncate", truncate("x/f", 2));
  MOVED("truncate, same", truncate("x/f", 2));
  MOVED("ftruncate, same", ftruncate(file, 2));
  MOVED("fallocate", fallocate(file, 0, 0, 100));
  MOVED("chmod", chmod("x/f", 0600));
  MOVED("chown", chown("x/f", 1000, 1000));
  MOVED("attribute", setxattr("x/f", "user.t", "1", 1, 0));
  MOVED("no attribute", removexattr("x/f", "user.t"));
  MOVED("link", link("x/f", "x/g"));
  MOVED("rename to itself", rename("x/f", "x/g"));
  MOVED("unlink", unlink("x/g"));
  MOVED("symlink", symlink("f", "x/g"));
  MOVED("rename", rename("x/f", "y/f"));
  MOVED("rename over", rename("y/f", "x/g"));
  MOVED("mkdir", mkdir("y/f", 0755));
  MOVED("exchange", renameat2(AT_FDCWD, "y/f", AT_FDCWD, "x/g", RENAME_EXCHANGE));
  MOVED("folder to elsewhere", rename("x/g", "y/d"));
  MOVED("rmdir", rmdir("y/d"));
  const struct timespec set[] = {{0, UTIME_OMIT}, {5, 7}}, both[] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
  MOVED("utimens", utimensat(AT_FDCWD, "y/f", set, 0));
  MOVED("utimens of nothing", utimensat(AT_FDCWD, "y/f", both, 0));
  look("x"), look("y"), look("y/f");
  close(file);
}

static void folders_and_names(void) {
  mkdir("p", 0755), mkdir("p/q", 0755), mkdir("r", 0755), close(make("f", "1", 0644)), symlink("f", "l");
  printf("below itself"), good(rename("p", "p/q/z"));
  printf("over what is not empty"), good(rename("r", "p"));
  printf("device"), good(mknod("null", S_IFCHR | 0600, makedev(1, 3))), look("null"); // which may be on nodev
  printf("file over folder"), good(rename("f", "r"));
  printf("folder over file"), good(rename("r", "f"));
  printf("folder over empty"), good(rename("p/q", "r"));
  printf("exchange with below"), good(renameat2(AT_FDCWD, "p", AT_FDCWD, "p/q", RENAME_EXCHANGE));
  printf("with a slash"), good(rename("f/", "g"));
  printf("dot"), good(rename("p/.", "s"));
  printf("rmdir dot"), good(rmdir("p/."));
  printf("rmdir dotdot"), good(rmdir("p/.."));
  printf("unlink folder"), good(unlink("p"));
  printf("rmdir file"), good(rmdir("f"));
  printf("link of folder"), good(link("p", "t"));
  printf("link of link"), good(link("l", "m")), look("m");
  printf("through a link"), good(open("l/", O_RDONLY));
  printf("create at nothing"), good(open("", O_CREAT | O_RDWR, 0600));
  printf("directory by creating"), answered(open("p/", O_CREAT | O_RDWR, 0600) < 0 ? -1 : 0);
  symlink("loop", "loop"), printf("loop"), answered(open("loop", O_RDONLY) < 0 ? -1 : 0);
  symlink("nowhere", "dangling"), printf("created behind a link"), answered(open("dangling", O_CREAT | O_RDWR, 0600) < 0 ? -1 : 0);
  look("nowhere");
  static char target[5000];
  memset(target, 't', 4095), printf("long target"), good(symlink(target, "long")), look("long"), unlink("long");
  target[4095] = 't', printf("too long a target"), good(symlink(target, "long"));
  char name[8];
  mkdir("every", 0755);
  for (int i = 1; i < 256; i++) {
    if (i == '/') continue;
    snprintf(name, sizeof name, "n%c", i);
    char path[32];
    snprintf(path, sizeof path, "every/%s", name);
    const int file = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (file < 0) printf("byte %d", i), answered(-1);
    close(file);
  }
  printf("every byte"), list("every");
}

static void removed_while_open(void) {
  const int file = make("gone", "still here", 0644);
  printf("unlink"), good(unlink("gone"));
  struct stat facts;
  if (fstat(file, &facts) == 0) printf("links %lu\n", (unsigned long)facts.st_nlink);
  printf("read"), content(pread(file, buffer, 100, 0));
  printf("write"), answered(pwrite(file, "more", 4, 6));
  printf("truncate"), good(ftruncate(file, 8));
  printf("chmod"), good(fchmod(file, 0600));
  printf("attribute"), good(fsetxattr(file, "user.g", "1", 1, 0));
  printf("sync"), good(fsync(file));
  printf("read"), content(pread(file, buffer, 100, 0));
  printf("linked again"), good(linkat(file, "", AT_FDCWD, "back", AT_EMPTY_PATH));
  printf("closed"), good(close(file));
  mkdir("away", 0755);
  const int folder = open("away", O_RDONLY | O_DIRECTORY);
  rmdir("away");
  printf("in a folder that is gone"), answered(openat(folder, "x", O_CREAT | O_RDWR, 0600) < 0 ? -1 : 0);
  printf("sub"), good(mkdirat(folder, "x", 0700));
  close(folder);
  const int over = make("under", "replaced", 0644);
  close(make("above", "new", 0644)), rename("above", "under");
  printf("replaced"), content(pread(over, buffer, 100, 0));
  close(over);
}

static void appended(void) {
  close(make("log", "", 0644));
  const int one = open("log", O_WRONLY | O_APPEND), other = open("log", O_WRONLY | O_APPEND);
  for (int i = 0; i < 20; i++) write(i & 1 ? one : other, i & 1 ? "one\n" : "other\n", i & 1 ? 4 : 6);
  printf("at its own place"), answered(pwrite(one, "end", 3, 0));
  close(one), close(other);
  const int file = open("log", O_RDONLY);
  content(read(file, buffer, sizeof buffer)), close(file);
}

static void locks(void) {
  const int one = make("lock", "0123456789", 0644), other = open("lock", O_RDWR);
  printf("flock"), good(flock(one, LOCK_EX | LOCK_NB));
  printf("again"), good(flock(other, LOCK_SH | LOCK_NB));
  printf("unlock"), good(flock(one, LOCK_UN)), printf("now"), good(flock(other, LOCK_SH | LOCK_NB));
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 3};
  printf("range"), good(fcntl(one, F_SETLK, &lock));
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    printf("of another"), good(fcntl(other, F_SETLK, &lock));
    lock.l_start = 5, printf("behind"), good(fcntl(other, F_SETLK, &lock));
    lock.l_start = 0, lock.l_len = 0;
    printf("whose"), good(fcntl(other, F_GETLK, &lock)), printf(" %d %ld %ld\n", lock.l_type, (long)lock.l_start, (long)lock.l_len);
    fflush(stdout), _exit(0);
  }
  waitpid(child, NULL, 0);
  close(one), close(other);
  printf("lease"), good(fcntl(open("lock", O_RDONLY), F_SETLEASE, F_RDLCK));
}

static void of_others(void) {
  mkdir("closed", 0700), close(make("closed/f", "x", 0666)), close(make("readable", "x", 0640));
  chown("readable", 0, 1000), mkdir("listed", 0744), close(make("listed/f", "x", 0666)), mkdir("entered", 0711), close(make("entered/f", "x", 0666));
  static const uid_t users[] = {1000, 1001};
  for (size_t i = 0; i < LENGTH(users); i++) {
    become(users[i]);
    printf("user %u\n", users[i]);
    printf("closed"), answered(open("closed/f", O_RDONLY) < 0 ? -1 : 0);
    printf("by group"), answered(open("readable", O_RDONLY) < 0 ? -1 : 0);
    printf("to write"), answered(open("readable", O_WRONLY) < 0 ? -1 : 0);
    printf("list"), list("listed"), printf("list"), list("entered");
    printf("enter"), answered(open("listed/f", O_RDONLY) < 0 ? -1 : 0), printf("enter"), answered(open("entered/f", O_RDONLY) < 0 ? -1 : 0);
    printf("chmod"), good(chmod("readable", 0666)), printf("chown"), good(chown("readable", users[i], users[i]));
    printf("times"), good(utimensat(AT_FDCWD, "readable", NULL, 0));
    printf("attribute"), answered(getxattr("readable", "user.x", buffer, 10));
    printf("make"), good(mkdir("entered/x", 0755)), printf("remove"), good(unlink("entered/f"));
  }
  become(0);
}

static void attributes(void) {
  close(make("named", "", 0644));
  memset(buffer, 'v', 2000);
  printf("large"), good(setxattr("named", "user.large", buffer, 1000, 0));
  printf("size"), answered(getxattr("named", "user.large", NULL, 0)), printf("small"), answered(getxattr("named", "user.large", buffer, 10));
  printf("empty"), good(setxattr("named", "user.empty", "", 0, 0)), answered(getxattr("named", "user.empty", buffer, 10));
  printf("list size"), answered(listxattr("named", NULL, 0)), printf("small list"), answered(listxattr("named", buffer, 3));
  char name[300] = "user.";
  memset(name + 5, 'n', 250), printf("longest name"), good(setxattr("named", name, "1", 1, 0));
  name[255] = 'n', printf("longer"), good(setxattr("named", name, "1", 1, 0));
  printf("gone"), answered(getxattr("named", "user.gone", buffer, 10)), printf("gone"), good(removexattr("named", "user.gone"));
  symlink("named", "name-link"), printf("of a link"), good(lsetxattr("name-link", "user.x", "1", 1, 0));
  mkfifo("name-pipe", 0600), printf("of a pipe"), good(lsetxattr("name-pipe", "user.x", "1", 1, 0));
  printf("all"), attribute_names("named");
}

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

typedef struct {
  const char *name;
  void (*run)(void);
} named_case;
static const named_case cases[] = {
    {"holes", holes},         {"set-id", set_id},
    {"sticky", sticky},       {"times", times},
    {"names", folders_and_names}, {"removed", removed_while_open},
    {"append", appended},     {"locks", locks},
    {"others", of_others},    {"attributes", attributes},
};

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
