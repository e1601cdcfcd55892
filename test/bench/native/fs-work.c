// The work of `proteus bench fs`: the same system calls on whatever file system a folder is on.
//
//   fs-work TEST FOLDER COUNT MILLISECONDS BYTES    one test; stops at whichever bound comes first
//   fs-work close NEAR FAR COUNT MILLISECONDS       one file by two paths: closed here, read there
//   fs-work run PROGRAM [WORD...]                   the seconds that a program takes
//
// - What has to be there first is made, and read once; then it says "ready", and the clock runs once a line
//   has come (or the end of its input). It prints one JSON document at the end.
// - One reading of the clock an operation: the end of one is the beginning of the next.
// - In C, since a client that takes longer than the file system would make all of them look alike.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAMPLES_MOST (1 << 22)
#define SMALL 4096
#define LARGE (1 << 20)
#define STALE_NS 1000000000ull

static const char *folder;
static uint32_t samples[SAMPLES_MOST];
static size_t taken;
static char block[LARGE] __attribute__((aligned(4096)));
static uint64_t seed = 88172645463325252ull;

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000ull + (uint64_t)time.tv_nsec;
}

static uint64_t pseudorandom(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed;
}

static void must(int good, const char *what) {
  if (good) return;
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static const char *path(char kind, uint32_t number) {
  static char text[2][4096];
  static int turn;
  turn ^= 1;
  snprintf(text[turn], sizeof text[turn], "%s/%c%u", folder, kind, number);
  return text[turn];
}

static void took(uint64_t nanoseconds) {
  if (taken < SAMPLES_MOST) samples[taken++] = nanoseconds > UINT32_MAX ? UINT32_MAX : (uint32_t)nanoseconds;
}

static int ascending(const void *a, const void *b) {
  const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static double quantile(double q) {
  if (taken == 0) return 0;
  const size_t rank = (size_t)(q * (double)(taken - 1) + 0.5);
  return samples[rank] / 1000.0;
}

static void report(uint64_t operations, uint64_t elapsed, const char *more) {
  qsort(samples, taken, sizeof samples[0], ascending);
  printf("{\"operations\":%llu,\"seconds\":%.9f,\"p50Us\":%.3f,\"p99Us\":%.3f%s}\n",
         (unsigned long long)operations, (double)elapsed / 1e9, quantile(0.5), quantile(0.99), more);
}

// Operations; each answers whether it went well.

static int create(uint32_t i) {
  const int file = open(path('c', i), O_CREAT | O_EXCL | O_WRONLY, 0644);
  return file >= 0 && close(file) == 0;
}
static int create_full(uint32_t i) {
  const int file = open(path('f', i), O_CREAT | O_WRONLY, 0644);
  return file >= 0 && write(file, block, SMALL) == SMALL && close(file) == 0;
}
static int open_write_close(uint32_t i) {
  const int file = open(path('f', i), O_WRONLY);
  return file >= 0 && pwrite(file, block + i % 64, SMALL, 0) == SMALL && close(file) == 0;
}
static int open_read_close(uint32_t i) {
  const int file = open(path('f', i), O_RDONLY);
  return file >= 0 && pread(file, block, SMALL, 0) == SMALL && close(file) == 0;
}
static int look(uint32_t i) {
  struct stat facts;
  return lstat(path('f', i), &facts) == 0;
}
static int rename_there(uint32_t i) { return rename(path('f', i), path('g', i)) == 0; }
static int rename_back(uint32_t i) { return rename(path('g', i), path('f', i)) == 0; }
static int remove_one(uint32_t i) { return unlink(path('c', i)) == 0; }
static int make_folder(uint32_t i) { return mkdir(path('d', i), 0755) == 0; }

// Whoever called counts what the preparations cost, and lets it go on.
static void ready(void) {
  char line;
  printf("ready\n");
  fflush(stdout);
  must(read(STDIN_FILENO, &line, 1) >= 0, "input");
}

typedef int (*operation)(uint32_t);

static void repeat(operation each, uint32_t count, const char *what) {
  for (uint32_t i = 0; i < count; i++) must(each(i), what);
}

// Passes over `count` names, of two operations in turn; once only where a second pass makes no sense.
static void timed(operation first, operation second, uint32_t count, uint64_t span, int once, const char *what) {
  ready();
  const uint64_t begun = now();
  uint64_t last = begun, operations = 0;
  for (uint64_t pass = 0; pass == 0 || !once; pass++)
    for (uint32_t i = 0; i < count; i++) {
      must((pass & 1 ? second : first)(i), what);
      const uint64_t end = now();
      took(end - last);
      last = end;
      operations++;
      if (end - begun >= span) return report(operations, end - begun, "");
    }
  report(operations, last - begun, "");
}

static void named(const char *test, uint32_t count, uint64_t span) {
  if (!strcmp(test, "create")) return timed(create, create, count, span, 1, test);
  if (!strcmp(test, "fill")) return timed(create_full, create_full, count, span, 1, test);
  if (!strcmp(test, "mkdir")) return timed(make_folder, make_folder, count, span, 1, test);
  if (!strcmp(test, "unlink")) {
    repeat(create, count, "create");
    return timed(remove_one, remove_one, count, span, 1, test);
  }
  repeat(create_full, count, "write");
  repeat(open_read_close, count, "read");
  repeat(look, count, "stat");
  if (!strcmp(test, "open-write-close")) return timed(open_write_close, open_write_close, count, span, 0, test);
  if (!strcmp(test, "open-read-close")) return timed(open_read_close, open_read_close, count, span, 0, test);
  if (!strcmp(test, "stat")) return timed(look, look, count, span, 0, test);
  if (!strcmp(test, "rename")) return timed(rename_there, rename_back, count, span, 0, test);
  fprintf(stderr, "there is no test %s\n", test);
  exit(2);
}

// One large file: writes of 1 MiB, the close that follows them, and what is read or written again.

static uint64_t fill(int file, uint64_t bytes) {
  for (uint64_t done = 0; done < bytes; done += LARGE) must(write(file, block, LARGE) == LARGE, "write");
  return bytes / LARGE;
}

static void sequential_write(uint64_t bytes) {
  const int file = open(path('l', 0), O_CREAT | O_TRUNC | O_WRONLY, 0644);
  must(file >= 0, "open");
  ready();
  const uint64_t begun = now();
  uint64_t last = begun;
  for (uint64_t done = 0; done < bytes; done += LARGE) {
    must(write(file, block, LARGE) == LARGE, "write");
    const uint64_t end = now();
    took(end - last);
    last = end;
  }
  must(close(file) == 0, "close");
  char more[64];
  snprintf(more, sizeof more, ",\"closeSeconds\":%.9f", (double)(now() - last) / 1e9);
  report(bytes / LARGE, last - begun, more);
}

static void again(const char *test, uint64_t bytes, uint64_t span) {
  const int is_random = !strncmp(test, "random", 6), is_write = !strcmp(test, "random-write");
  int file = open(path('l', 0), O_CREAT | O_RDWR, 0644);
  must(file >= 0, "open");
  fill(file, bytes);
  must(close(file) == 0, "close");
  file = open(path('l', 0), is_write ? O_RDWR : O_RDONLY);
  must(file >= 0, "open");
  for (uint64_t at = 0; at < bytes; at += LARGE) must(pread(file, block, LARGE, (off_t)at) == LARGE, "read");
  ready();
  const size_t each = is_random ? SMALL : LARGE;
  const uint64_t places = bytes / each, begun = now();
  uint64_t last = begun, operations = 0, end;
  do {
    const off_t at = (off_t)((is_random ? pseudorandom() % places : operations % places) * each);
    const ssize_t moved = is_write ? pwrite(file, block, each, at) : pread(file, block, each, at);
    must(moved == (ssize_t)each, test);
    end = now();
    took(end - last);
    last = end;
    operations++;
  } while (end - begun < span);
  report(operations, end - begun, "");
  must(close(file) == 0, "close");
}

// What is closed by one path is read by another: from the call of close to the new bytes.
static void close_to_read(const char *near, const char *far, uint32_t count, uint64_t span) {
  uint64_t stale = 0, closing = 0;
  ready();
  const uint64_t begun = now();
  for (uint32_t i = 1; i <= count + 1 && (i <= 2 || now() - begun < span); i++) { // the first is not counted
    char wanted[64] = {0}, found[64] = {0};
    snprintf(wanted, sizeof wanted, "round %u", i);
    const int file = open(near, O_CREAT | O_WRONLY, 0644);
    must(file >= 0 && pwrite(file, wanted, sizeof wanted, 0) == sizeof wanted, "write");
    const uint64_t before = now();
    must(close(file) == 0, "close");
    const uint64_t closed = now();
    for (int reads = 0;; reads++) {
      const int other = open(far, O_RDONLY);
      must(other >= 0 || errno == ENOENT, "open at the other end");
      if (other >= 0) {
        must(read(other, found, sizeof found) >= 0 && close(other) == 0, "read at the other end");
        if (!memcmp(wanted, found, sizeof wanted)) break;
      }
      if (reads == 0) stale++;
      errno = ETIMEDOUT;
      must(now() - closed < STALE_NS, "new bytes at the other end");
    }
    if (i == 1) { // the other end had no copy yet
      stale = 0;
      continue;
    }
    took(now() - before);
    closing += closed - before;
  }
  char more[96];
  snprintf(more, sizeof more, ",\"stale\":%llu,\"closeSeconds\":%.9f", (unsigned long long)stale,
           taken == 0 ? 0 : (double)closing / 1e9 / (double)taken);
  report(taken, now() - begun, more);
}

static void run(char **words) {
  ready();
  const uint64_t begun = now();
  const pid_t child = fork();
  must(child >= 0, "fork");
  if (child == 0) {
    dup2(STDERR_FILENO, STDOUT_FILENO);
    execvp(words[0], words);
    fprintf(stderr, "%s: %s\n", words[0], strerror(errno));
    _exit(127);
  }
  int status;
  must(waitpid(child, &status, 0) == child, "wait");
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fprintf(stderr, "%s ended with %d\n", words[0], WIFEXITED(status) ? WEXITSTATUS(status) : 128);
    exit(1);
  }
  report(1, now() - begun, "");
}

static uint64_t number(const char *text) { return strtoull(text, NULL, 10); }

int main(int count, char **words) {
  memset(block, 'x', sizeof block);
  if (count >= 3 && !strcmp(words[1], "run")) return run(words + 2), 0;
  if (count != 6) return fprintf(stderr, "fs-work TEST FOLDER COUNT MILLISECONDS BYTES\n"), 2;
  const uint64_t span = number(words[5 - (strcmp(words[1], "close") != 0)]) * 1000000ull;
  if (!strcmp(words[1], "close")) return close_to_read(words[2], words[3], (uint32_t)number(words[4]), span), 0;
  folder = words[2];
  const uint64_t bytes = number(words[5]) / LARGE * LARGE;
  if (!strcmp(words[1], "sequential-write")) return sequential_write(bytes), 0;
  if (!strncmp(words[1], "random-", 7) || !strcmp(words[1], "sequential-read")) return again(words[1], bytes, span), 0;
  return named(words[1], (uint32_t)number(words[3]), span), 0;
}
