// Pages of the linear memory that other processes may map: a memfd laid over them, and maps of
// such memfds.
//
// - share(memory, offset, length, name, seal): the pages are the memfd's from then on, zeros at
//   first. Exactly these pages are shared. Its size is sealed, so that nobody's access can end in
//   SIGBUS; with `seal` nobody else can write into it any more.
// - withdraw(): private zero pages again; who has the memfd mapped keeps a copy that is nobody's.
// - map(descriptor, length, write): an ArrayBuffer over a memfd whose size is sealed. Without
//   `write` its pages are copied when they are written: nothing goes out.
// - unmap(buffer) detaches it: views of it are empty, and the pages go when V8 lets go of them.
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

struct share {
  int fd; // -1 once withdrawn
  uint8_t *address;
  size_t length;
  napi_ref memory; // the pages must not go before they are withdrawn
};

static void let_go(napi_env env, struct share *share) {
  if (share->fd >= 0) close(share->fd);
  share->fd = -1;
  if (share->memory != NULL) napi_delete_reference(env, share->memory);
  share->memory = NULL;
}

static void finalize_share(napi_env env, void *data, void *hint) {
  (void)hint;
  let_go(env, data);
  free(data);
}

static bool private_again(uint8_t *address, size_t length) {
  return mmap(address, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

static napi_value withdraw(napi_env env, napi_callback_info info) {
  napi_value self;
  void *data;
  if (napi_get_cb_info(env, info, NULL, NULL, &self, NULL) != napi_ok || napi_unwrap(env, self, &data) != napi_ok) {
    return throw_usage(env, "withdraw: nothing that was shared");
  }
  struct share *share = data;
  if (share->fd < 0) return NULL;
  if (!private_again(share->address, share->length)) return throw_errno(env, "mmap", errno);
  let_go(env, share);
  return NULL;
}

/** A memfd of so many zero bytes that can neither grow nor shrink; -1 with errno. */
static int open_memory(const char *name, size_t length) {
  int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
  if (fd < 0 && errno == EINVAL) fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING); // before Linux 6.3
  if (fd < 0) return -1;
  // All of its pages now: what the system lacks is an error here, not a signal later.
  if (fchmod(fd, S_IRUSR | S_IWUSR) != 0 || ftruncate(fd, (off_t)length) != 0 ||
      fallocate(fd, 0, 0, (off_t)length) != 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) != 0) {
    int error = errno;
    close(fd);
    errno = error;
    return -1;
  }
  return fd;
}

/** Lays the memfd over the pages and seals it; false with errno, and the pages are private zeros. */
static bool lay(int fd, uint8_t *address, size_t length, bool seal) {
  int seals = F_SEAL_SEAL | (seal ? F_SEAL_FUTURE_WRITE : 0);
  if (mmap(address, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED &&
      fcntl(fd, F_ADD_SEALS, seals) == 0) {
    return true;
  }
  int error = errno;
  // A hole, or pages that others could reach, would be worse than no process.
  if (!private_again(address, length)) abort();
  errno = error;
  return false;
}

napi_value memory_share(napi_env env, napi_callback_info info) {
  size_t count = 5, memory_length, name_length;
  napi_value arguments[5], object;
  void *memory;
  double offset = -1, length = 0;
  char name[64];
  bool seal = true;
  if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok || count < 5 ||
      napi_get_arraybuffer_info(env, arguments[0], &memory, &memory_length) != napi_ok ||
      napi_get_value_double(env, arguments[1], &offset) != napi_ok ||
      napi_get_value_double(env, arguments[2], &length) != napi_ok ||
      napi_get_value_string_utf8(env, arguments[3], name, sizeof name, &name_length) != napi_ok ||
      napi_get_value_bool(env, arguments[4], &seal) != napi_ok) {
    return throw_usage(env, "share: an ArrayBuffer, offset, length, name, and whether to seal");
  }
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
  if (!(offset >= 0 && length > 0 && offset + length <= (double)memory_length) ||
      (((uintptr_t)memory + (uintptr_t)offset) & page) != 0 || ((uintptr_t)length & page) != 0) {
    return throw_usage(env, "share: the range does not lie in the memory, or not on pages");
  }
  struct share *share = calloc(1, sizeof *share);
  if (share == NULL) return throw_errno(env, "calloc", ENOMEM);
  share->address = (uint8_t *)memory + (size_t)offset;
  share->length = (size_t)length;
  share->fd = open_memory(name, share->length);
  if (share->fd < 0 || !lay(share->fd, share->address, share->length, seal)) {
    int error = errno;
    let_go(env, share);
    free(share);
    return throw_errno(env, "memfd", error);
  }
  napi_create_reference(env, arguments[0], 1, &share->memory);
  napi_create_object(env, &object);
  napi_wrap(env, object, share, finalize_share, NULL, NULL);
  define_number(env, object, "descriptor", share->fd);
  define_function(env, object, "withdraw", withdraw, NULL);
  return object;
}

static void finalize_map(napi_env env, void *data, void *hint) {
  (void)env;
  munmap(data, (size_t)(uintptr_t)hint);
}

napi_value memory_map(napi_env env, napi_callback_info info) {
  size_t count = 3;
  napi_value arguments[3], buffer;
  int32_t fd = -1;
  double wanted = 0;
  bool write = false;
  struct stat found;
  if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok || count < 3 ||
      napi_get_value_int32(env, arguments[0], &fd) != napi_ok ||
      napi_get_value_double(env, arguments[1], &wanted) != napi_ok || !(wanted >= 1 && wanted <= 0xffffffff) ||
      napi_get_value_bool(env, arguments[2], &write) != napi_ok) {
    return throw_usage(env, "map: a descriptor, a length, and whether to write");
  }
  size_t length = (size_t)wanted;
  // Whoever made it could take pages away below us otherwise, and our next look would be a signal.
  int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) return throw_errno(env, "map", EINVAL);
  if (fstat(fd, &found) != 0) return throw_errno(env, "fstat", errno);
  if ((size_t)found.st_size < length) return throw_errno(env, "map", EINVAL);
  void *address = mmap(NULL, length, PROT_READ | PROT_WRITE, write ? MAP_SHARED : MAP_PRIVATE, fd, 0);
  if (address == MAP_FAILED) return throw_errno(env, "mmap", errno);
  if (napi_create_external_arraybuffer(env, address, length, finalize_map, (void *)(uintptr_t)length, &buffer) != napi_ok) {
    munmap(address, length);
    return throw_errno(env, "external memory", ENOTSUP);
  }
  return buffer;
}

napi_value memory_unmap(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value buffer;
  bool detached = false;
  if (napi_get_cb_info(env, info, &count, &buffer, NULL, NULL) != napi_ok || count < 1 ||
      napi_is_detached_arraybuffer(env, buffer, &detached) != napi_ok) {
    return throw_usage(env, "unmap: an ArrayBuffer");
  }
  if (!detached && napi_detach_arraybuffer(env, buffer) != napi_ok) return throw_usage(env, "unmap: it cannot be detached");
  return NULL;
}
