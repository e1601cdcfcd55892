// Cases by hand that posix-steps plays beside its random steps: what chance seldom finds.
//
// - A part of posix-steps.c, which includes it behind its helpers: facts_of, shown, answered, good, become.
// - Each case has a folder of its own, and is root's again at its end or by the caller.

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
