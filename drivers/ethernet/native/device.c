// The packet socket as JavaScript sees it: `open(name, control)` answers an object with
// the interface's facts and one function for each thing that can be done.
//
// - Order: open, claim or another unicast address, filter, attach; then turns.
// - A turn takes and gives through the shared control record.
// - Decisions (which address, which filter, how large a ring) are TypeScript's.
#include "device.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <unistd.h>

#define ARGUMENTS_MAX 8
#define FILTER_INSTRUCTIONS_MAX 4096

/** The device behind a call, and its arguments; NULL, with an exception, when closed. */
static struct device *enter(napi_env env, napi_callback_info info, size_t wanted, napi_value *arguments) {
  size_t count = ARGUMENTS_MAX;
  void *data;
  if (napi_get_cb_info(env, info, &count, arguments, NULL, &data) != napi_ok) return NULL;
  struct device *device = data;
  if (device->fd < 0 || count < wanted) {
    throw_usage(env, device->fd < 0 ? "the device is closed" : "too few arguments");
    return NULL;
  }
  return device;
}

static uint32_t number(napi_env env, napi_value value) {
  uint32_t result = 0;
  napi_get_value_uint32(env, value, &result);
  return result;
}

static bool bytes(napi_env env, napi_value value, uint8_t **data, size_t *length) {
  napi_typedarray_type type;
  bool is_array = false;
  napi_is_typedarray(env, value, &is_array);
  return is_array && napi_get_typedarray_info(env, value, &type, length, (void **)data, NULL, NULL) == napi_ok &&
         type == napi_uint8_array;
}

static void close_device(napi_env env, struct device *device) {
  if (device->fd < 0) return;
  readiness_close(device);
  receive_detach(device);
  close(device->fd);
  if (device->claim >= 0) close(device->claim);
  device->fd = device->claim = -1;
  if (device->memory_reference != NULL) napi_delete_reference(env, device->memory_reference);
  if (device->control_reference != NULL) napi_delete_reference(env, device->control_reference);
  if (device->beside_reference != NULL) napi_delete_reference(env, device->beside_reference);
  device->memory_reference = device->control_reference = device->beside_reference = NULL;
  device->beside_count = 0;
}

static void finalize(napi_env env, void *data, void *hint) {
  (void)hint;
  close_device(env, data);
  free(data);
}

static napi_value turn(napi_env env, napi_callback_info info) {
  void *data;
  (void)!napi_get_cb_info(env, info, NULL, NULL, NULL, &data);
  struct device *device = data;
  if (device->fd < 0) return NULL;
  if (device->control->queued > 0) send_queued(device);
  receive_turn(device, device->control->spin_us);
  return NULL;
}

static napi_value flush(napi_env env, napi_callback_info info) {
  void *data;
  (void)!napi_get_cb_info(env, info, NULL, NULL, NULL, &data);
  struct device *device = data;
  if (device->fd >= 0 && device->control->queued > 0) send_queued(device);
  return NULL;
}

/** claim(name): true when this process is the first, in its network namespace, to use that name. */
static napi_value claim(napi_env env, napi_callback_info info) {
  napi_value arguments[ARGUMENTS_MAX], result;
  struct device *device = enter(env, info, 1, arguments);
  if (device == NULL) return NULL;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = 0;
  // An abstract name: private to the network namespace, gone with the process.
  napi_get_value_string_utf8(env, arguments[0], address.sun_path + 1, sizeof address.sun_path - 1, &length);
  device->claim = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (device->claim < 0) return throw_errno(env, "socket", errno);
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
  bool first = bind(device->claim, (struct sockaddr *)&address, size) == 0;
  if (!first) {
    int error = errno;
    close(device->claim);
    device->claim = -1;
    if (error != EADDRINUSE) return throw_errno(env, "claim", error);
  }
  napi_get_boolean(env, first, &result);
  return result;
}

/** filter(program): the bytes of an array of struct sock_filter. */
static napi_value filter(napi_env env, napi_callback_info info) {
  napi_value arguments[ARGUMENTS_MAX];
  uint8_t *data;
  size_t length;
  struct device *device = enter(env, info, 1, arguments);
  if (device == NULL) return NULL;
  if (!bytes(env, arguments[0], &data, &length) || length % sizeof(struct sock_filter) != 0 ||
      length / sizeof(struct sock_filter) > FILTER_INSTRUCTIONS_MAX) {
    return throw_usage(env, "filter: no program");
  }
  struct sock_fprog program = {.len = (unsigned short)(length / sizeof(struct sock_filter)), .filter = (struct sock_filter *)data};
  if (setsockopt(device->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) {
    return throw_errno(env, "SO_ATTACH_FILTER", errno);
  }
  return NULL;
}

/** membership(kind, address, join): an address that the interface shall accept; kind PACKET_MR_*. */
static napi_value membership(napi_env env, napi_callback_info info) {
  napi_value arguments[ARGUMENTS_MAX];
  uint8_t *address;
  size_t length;
  bool join;
  struct device *device = enter(env, info, 3, arguments);
  if (device == NULL) return NULL;
  if (!bytes(env, arguments[1], &address, &length) || length != ETH_ALEN || napi_get_value_bool(env, arguments[2], &join) != napi_ok) {
    return throw_usage(env, "membership: an address of 6 bytes");
  }
  struct packet_mreq request = {.mr_ifindex = device->interface, .mr_type = (unsigned short)number(env, arguments[0]), .mr_alen = ETH_ALEN};
  memcpy(request.mr_address, address, ETH_ALEN);
  if (setsockopt(device->fd, SOL_PACKET, join ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP, &request, sizeof request) != 0) {
    return throw_errno(env, "PACKET_ADD_MEMBERSHIP", errno);
  }
  return NULL;
}

/** beside(sockets): from now on a turn that waits ends for a frame in one of their rings as well. */
static napi_value beside(napi_env env, napi_callback_info info) {
  napi_value arguments[ARGUMENTS_MAX], one;
  uint32_t count = 0;
  void *other;
  struct device *device = enter(env, info, 1, arguments);
  if (device == NULL) return NULL;
  if (napi_get_array_length(env, arguments[0], &count) != napi_ok || count > BESIDE_MAX) {
    return throw_usage(env, "beside: an array of at most 15 sockets");
  }
  device->beside_count = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (napi_get_element(env, arguments[0], i, &one) != napi_ok || napi_unwrap(env, one, &other) != napi_ok) {
      return throw_usage(env, "beside: not a socket");
    }
    device->beside[i] = other;
  }
  // Keeps them from being freed; one that is closed receives nothing.
  if (device->beside_reference != NULL) napi_delete_reference(env, device->beside_reference);
  napi_create_reference(env, arguments[0], 1, &device->beside_reference);
  device->beside_count = count;
  return NULL;
}

static void set_buffer(int fd, int forced, int asked, int size) {
  // Forcing needs a right over the namespace; without it the system's limit holds.
  if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof size) != 0) setsockopt(fd, SOL_SOCKET, asked, &size, sizeof size);
}

static napi_value start(napi_env env, struct device *device) {
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = device->interface};
  if (bind(device->fd, (struct sockaddr *)&address, sizeof address) != 0) {
    int error = errno;
    receive_detach(device);
    return throw_errno(env, "bind", error);
  }
  return NULL;
}

/** attach(memory, base, length, ring, slotBytes, slots, blockBytes, bufferBytes): maps, binds; receiving starts. */
static napi_value attach(napi_env env, napi_callback_info info) {
  napi_value arguments[ARGUMENTS_MAX];
  void *memory;
  bool ring = false;
  struct device *device = enter(env, info, 8, arguments);
  if (device == NULL) return NULL;
  if (device->mode != RECEIVE_NOTHING) return throw_usage(env, "attach: already attached");
  if (napi_get_arraybuffer_info(env, arguments[0], &memory, &device->memory_length) != napi_ok) {
    return throw_usage(env, "attach: no ArrayBuffer (shared memory cannot be mapped)");
  }
  napi_get_value_bool(env, arguments[3], &ring);
  uint32_t base = number(env, arguments[1]);
  device->region_length = number(env, arguments[2]);
  device->slot_bytes = number(env, arguments[4]);
  device->slots = number(env, arguments[5]);
  device->block_bytes = number(env, arguments[6]);
  int buffer = (int)number(env, arguments[7]);
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
  if ((uint64_t)base + device->region_length > device->memory_length || (((uintptr_t)memory + base) & page) != 0 ||
      (device->region_length & page) != 0 || device->slot_bytes == 0 || device->slots == 0 ||
      device->block_bytes < device->slot_bytes ||
      (uint64_t)device->slots / (device->block_bytes / device->slot_bytes) * device->block_bytes > device->region_length) {
    return throw_usage(env, "attach: the region does not lie in the memory, or not on pages");
  }
  device->slots_a_block = device->block_bytes / device->slot_bytes;
  device->memory = memory;
  device->region = device->memory + base;
  set_buffer(device->fd, SO_RCVBUFFORCE, SO_RCVBUF, buffer);
  set_buffer(device->fd, SO_SNDBUFFORCE, SO_SNDBUF, 4 << 20);
  if (ring && receive_attach_ring(device) != 0) return throw_errno(env, "PACKET_RX_RING", errno);
  if (!ring) receive_attach_batches(device);
  napi_create_reference(env, arguments[0], 1, &device->memory_reference);
  return start(env, device);
}

/** watch(function) or watch(null) */
static napi_value watch(napi_env env, napi_callback_info info) {
  napi_value arguments[ARGUMENTS_MAX];
  napi_valuetype type;
  struct device *device = enter(env, info, 1, arguments);
  if (device == NULL) return NULL;
  napi_typeof(env, arguments[0], &type);
  if (type != napi_function) readiness_stop(device);
  else if (readiness_watch(env, device, arguments[0]) != 0) return throw_errno(env, "uv_poll_start", EIO);
  return NULL;
}

/** reference(boolean): whether watching keeps the process alive. */
static napi_value reference(napi_env env, napi_callback_info info) {
  napi_value arguments[ARGUMENTS_MAX];
  bool referenced = true;
  struct device *device = enter(env, info, 1, arguments);
  if (device == NULL) return NULL;
  napi_get_value_bool(env, arguments[0], &referenced);
  readiness_reference(device, referenced);
  return NULL;
}

/** statistics(): adds what the socket dropped since the last call to the record. */
static napi_value statistics(napi_env env, napi_callback_info info) {
  napi_value arguments[ARGUMENTS_MAX];
  struct device *device = enter(env, info, 0, arguments);
  if (device == NULL) return NULL;
  struct tpacket_stats counted;
  socklen_t length = sizeof counted;
  if (getsockopt(device->fd, SOL_PACKET, PACKET_STATISTICS, &counted, &length) == 0) {
    device->control->receive_dropped += counted.tp_drops;
  }
  return NULL;
}

static napi_value close_function(napi_env env, napi_callback_info info) {
  void *data;
  if (napi_get_cb_info(env, info, NULL, NULL, NULL, &data) == napi_ok) close_device(env, data);
  return NULL;
}

/** The interface's facts, as properties of `object`; false with an exception. */
static bool describe(napi_env env, napi_value object, struct device *device, const char *name) {
  struct ifreq request;
  napi_value buffer, address;
  void *data;
  memset(&request, 0, sizeof request);
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
  if (ioctl(device->fd, SIOCGIFHWADDR, &request) != 0) return throw_errno(env, "SIOCGIFHWADDR", errno), false;
  define_number(env, object, "hardwareType", request.ifr_hwaddr.sa_family);
  napi_create_arraybuffer(env, ETH_ALEN, &data, &buffer);
  memcpy(data, request.ifr_hwaddr.sa_data, ETH_ALEN);
  napi_create_typedarray(env, napi_uint8_array, ETH_ALEN, buffer, 0, &address);
  napi_set_named_property(env, object, "interfaceAddress", address);
  if (ioctl(device->fd, SIOCGIFMTU, &request) != 0) return throw_errno(env, "SIOCGIFMTU", errno), false;
  define_number(env, object, "mtu", request.ifr_mtu);
  if (ioctl(device->fd, SIOCGIFFLAGS, &request) != 0) return throw_errno(env, "SIOCGIFFLAGS", errno), false;
  define_number(env, object, "flags", (unsigned short)request.ifr_flags);
  define_number(env, object, "index", device->interface);
  return true;
}

static const struct {
  const char *name;
  napi_callback callback;
} functions[] = {
    {"turn", turn},         {"flush", flush}, {"claim", claim}, {"filter", filter},         {"membership", membership},
    {"attach", attach},     {"watch", watch}, {"reference", reference}, {"statistics", statistics},
    {"close", close_function}, {"beside", beside},
};

napi_value device_open(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value arguments[2], object;
  char name[64] = "";
  size_t length;
  void *control;
  if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok || count < 2 ||
      napi_get_value_string_utf8(env, arguments[0], name, sizeof name, &length) != napi_ok ||
      napi_get_arraybuffer_info(env, arguments[1], &control, &length) != napi_ok || length != sizeof(struct control)) {
    return throw_usage(env, "open: an interface name and a control record");
  }
  int interface = (int)if_nametoindex(name);
  if (interface == 0) return throw_errno(env, "if_nametoindex", ENODEV);
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return throw_errno(env, "socket", errno);
  struct device *device = calloc(1, sizeof *device);
  if (device == NULL) {
    close(fd);
    return throw_errno(env, "calloc", ENOMEM);
  }
  device->fd = fd;
  device->claim = -1;
  device->interface = interface;
  device->control = control;
  napi_create_reference(env, arguments[1], 1, &device->control_reference);
  napi_create_object(env, &object);
  napi_wrap(env, object, device, finalize, NULL, NULL);
  if (!describe(env, object, device, name)) {
    close_device(env, device);
    return NULL;
  }
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    define_function(env, object, functions[i].name, functions[i].callback, device);
  }
  return object;
}
