// Readiness: one uv_poll_t on the event loop of the environment, level-triggered.
//
// - The handle lives as long as the device and is only active while somebody watches.
// - An interface that goes down leaves an error on the socket, at which libuv stops
//   polling: the error is read away and the handle started again.
// - uv_close finishes later than the device: the handle frees itself then. The cleanup
//   hook lets an environment that ends (a worker) wait for that.
#include "device.h"

#include <stdlib.h>

static void on_closed(uv_handle_t *handle) {
  struct readiness *readiness = handle->data;
  if (readiness->cleanup != NULL) napi_remove_async_cleanup_hook(readiness->cleanup);
  free(readiness);
}

static void close_handle(struct readiness *readiness) {
  if (readiness->owner != NULL) readiness->owner->readiness = NULL;
  readiness->owner = NULL;
  if (readiness->callback != NULL) napi_delete_reference(readiness->env, readiness->callback);
  readiness->callback = NULL;
  if (!uv_is_closing((uv_handle_t *)&readiness->poll)) uv_close((uv_handle_t *)&readiness->poll, on_closed);
}

static void on_cleanup(napi_async_cleanup_hook_handle hook, void *data) {
  (void)hook;
  close_handle(data);
}

static void on_readable(uv_poll_t *poll, int status, int events) {
  (void)events;
  struct readiness *readiness = poll->data;
  napi_env env = readiness->env;
  if (status < 0) {
    int error;
    socklen_t length = sizeof error;
    getsockopt(readiness->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    uv_poll_start(poll, UV_READABLE, on_readable);
  }
  napi_handle_scope scope;
  napi_value callback, global;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  if (readiness->callback != NULL && napi_get_reference_value(env, readiness->callback, &callback) == napi_ok &&
      napi_get_global(env, &global) == napi_ok) {
    if (napi_make_callback(env, NULL, global, callback, 0, NULL, NULL) == napi_pending_exception) {
      napi_value error;
      napi_get_and_clear_last_exception(env, &error);
      napi_fatal_exception(env, error);
    }
  }
  napi_close_handle_scope(env, scope);
}

static struct readiness *create(napi_env env, struct device *device) {
  int fd = device->fd;
  uv_loop_t *loop;
  struct readiness *readiness = calloc(1, sizeof *readiness);
  if (readiness == NULL) return NULL;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok || uv_poll_init(loop, &readiness->poll, fd) != 0) {
    free(readiness);
    return NULL;
  }
  readiness->poll.data = readiness;
  readiness->env = env;
  readiness->fd = fd;
  readiness->owner = device;
  napi_add_async_cleanup_hook(env, on_cleanup, readiness, &readiness->cleanup);
  return readiness;
}

int readiness_watch(napi_env env, struct device *device, napi_value callback) {
  if (device->readiness == NULL) device->readiness = create(env, device);
  struct readiness *readiness = device->readiness;
  if (readiness == NULL) return -1;
  if (readiness->callback != NULL) napi_delete_reference(env, readiness->callback);
  readiness->callback = NULL;
  if (napi_create_reference(env, callback, 1, &readiness->callback) != napi_ok) return -1;
  return uv_poll_start(&readiness->poll, UV_READABLE, on_readable) == 0 ? 0 : -1;
}

void readiness_stop(struct device *device) {
  struct readiness *readiness = device->readiness;
  if (readiness == NULL) return;
  uv_poll_stop(&readiness->poll);
}

void readiness_reference(struct device *device, bool referenced) {
  struct readiness *readiness = device->readiness;
  if (readiness == NULL) return;
  if (referenced) uv_ref((uv_handle_t *)&readiness->poll);
  else uv_unref((uv_handle_t *)&readiness->poll);
}

void readiness_close(struct device *device) {
  if (device->readiness != NULL) close_handle(device->readiness);
}
