// The addon's door: `open` for packet sockets, `tcp` for the benchmark's control, `share`, `map`
// and `unmap` for memory that processes have in common.
//
// - Plain C against Node-API: the same binary runs on every later Node.js.
// - Errors are thrown with `code` = errno in decimal; system-error.ts gives it a name.
#include "device.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

napi_value throw_errno(napi_env env, const char *what, int error) {
  char code[16], message[160];
  snprintf(code, sizeof code, "%d", error);
  snprintf(message, sizeof message, "%s: %s", what, strerror(error));
  napi_throw_error(env, code, message);
  return NULL;
}

napi_value throw_usage(napi_env env, const char *message) {
  napi_throw_type_error(env, NULL, message);
  return NULL;
}

void define_function(napi_env env, napi_value object, const char *name, napi_callback callback, void *data) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, data, &function);
  napi_set_named_property(env, object, name, function);
}

void define_number(napi_env env, napi_value object, const char *name, double value) {
  napi_value number;
  napi_create_double(env, value, &number);
  napi_set_named_property(env, object, name, number);
}

NAPI_MODULE_INIT() {
  define_function(env, exports, "open", device_open, NULL);
  define_function(env, exports, "tcp", tcp_open, NULL);
  define_function(env, exports, "share", memory_share, NULL);
  define_function(env, exports, "map", memory_map, NULL);
  define_function(env, exports, "unmap", memory_unmap, NULL);
  define_number(env, exports, "pageBytes", (double)sysconf(_SC_PAGESIZE));
  return exports;
}
