/*
 * The first process of a Linux pool machine that was booted over the network: mounts what a program
 * expects, loads the kernel's modules, switches network interfaces on, and starts the agent.
 *
 * - Linked statically: nothing but the kernel is needed. The agent is started with Node from the same
 *   initramfs; control/cli/linux-main.ts reads the command line.
 * - The agent's standard output goes nowhere, its standard error to the console. When it ends the
 *   machine says so, waits a moment and boots again, as a metal machine does.
 * - What cannot be done is said on the console and passed over: a machine without a network says more
 *   through its agent than one that stops here.
 * - Source: mount(2), init_module(2), netdevice(7), reboot(2).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const int againSeconds = 3;

static void complain(const char *what, const char *name) {
  fprintf(stderr, "init: %s %s: %s\n", what, name, strerror(errno));
}

static void mounted(const char *type, const char *folder) {
  mkdir(folder, 0755);
  if (mount(type, folder, type, 0, NULL) != 0 && errno != EBUSY) complain("cannot mount", folder);
}

static void consoleIsStderr(void) {
  int nowhere = open("/dev/null", O_RDWR);
  int console = open("/dev/console", O_RDWR);
  if (nowhere >= 0) {
    dup2(nowhere, 0);
    dup2(nowhere, 1);
  }
  if (console >= 0) dup2(console, 2);
}

/* They are numbered in the order in which they need each other. */
static void loadModules(const char *folder) {
  struct dirent **found;
  int count = scandir(folder, &found, NULL, alphasort);
  for (int i = 0; i < count; i++) {
    char path[512];
    if (found[i]->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", folder, found[i]->d_name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || (syscall(SYS_finit_module, file, "", 0) != 0 && errno != EEXIST && errno != ENODEV))
      complain("cannot load", path);
    if (file >= 0) close(file);
  }
}

static void switchOn(const char *name, int by) {
  struct ifreq request;
  memset(&request, 0, sizeof request);
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
  if (ioctl(by, SIOCGIFFLAGS, &request) == 0) {
    request.ifr_flags |= IFF_UP;
    if (ioctl(by, SIOCSIFFLAGS, &request) == 0) return;
  }
  complain("cannot switch on", name);
}

static void interfacesOn(void) {
  int by = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct if_nameindex *all = if_nameindex();
  for (struct if_nameindex *each = all; each != NULL && each->if_index != 0; each++)
    switchOn(each->if_name, by);
  if (by >= 0) close(by);
}

static pid_t agentStarted(void) {
  static char *const words[] = {"/opt/proteus/bin/node", "/opt/proteus/lib/dist/control/cli/linux-main.js", NULL};
  static char *const environment[] = {"PATH=/opt/proteus/bin", "HOME=/run", "TMPDIR=/tmp", NULL};
  pid_t child = fork();
  if (child != 0) return child;
  setsid();
  execve(words[0], words, environment);
  complain("cannot start", words[0]);
  _exit(127);
}

int main(void) {
  mounted("devtmpfs", "/dev");
  consoleIsStderr();
  mounted("proc", "/proc");
  mounted("sysfs", "/sys");
  mounted("tmpfs", "/run");
  mounted("tmpfs", "/tmp");
  loadModules("/modules");
  interfacesOn();
  pid_t agent = agentStarted();
  int status = 0;
  for (pid_t ended = 0; ended != agent;) {
    ended = wait(&status);
    if (ended < 0 && errno != EINTR) break;
  }
  fprintf(stderr, "init: the agent ended (%d); booting again in %d s\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          againSeconds);
  sleep(againSeconds);
  reboot(RB_AUTOBOOT);
  return 1;
}
