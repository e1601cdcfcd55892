// The system calls that FUSE takes beyond Node's: mount, poll and the device's own requests, by the C
// library through koffi.
//
// - Each answers what the call answers, below zero -errno. Nothing here throws but a machine without
//   koffi.
// - They block, and work in any thread: the serving thread waits in `poll`.

import { cLibrary } from "../c-library.js";

export interface FuseCalls {
  read(descriptor: number, into: Uint8Array, bytes: number): number;
  write(descriptor: number, from: Uint8Array, bytes: number): number;
  /** Waits until one of them can be read; 0: the time is over. -1: without end. */
  poll(descriptors: readonly number[], milliseconds: number): number;
  ioctl(descriptor: number, request: number, argument: Uint8Array): number;
  mount(source: string, target: string, type: string, flags: number, data: string): number;
  /** Off the main thread, since it may wait for a thread that serves the mount. */
  unmount(target: string, flags: number): Promise<number>;
  eventfd(): number;
  close(descriptor: number): number;
}

const POLLIN = 1;
const EFD_CLOEXEC = 0x80000;
const EFD_NONBLOCK = 0x800;
const POLLFD_BYTES = 8;

let loaded: FuseCalls | undefined;

/** The calls, loaded once a thread. */
export function fuseCalls(): FuseCalls {
  if (loaded !== undefined) return loaded;
  const { koffi, library } = cLibrary();
  const read = library.func("int64_t read(int fd, void *bytes, size_t length)");
  const write = library.func("int64_t write(int fd, void *bytes, size_t length)");
  const poll = library.func("int poll(void *descriptors, unsigned long count, int timeout)");
  const ioctl = library.func("int ioctl(int fd, unsigned long request, void *argument)");
  const mount = library.func(
    "int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)",
  );
  const umount2 = library.func("int umount2(const char *target, int flags)");
  const eventfd = library.func("int eventfd(unsigned int value, int flags)");
  const close = library.func("int close(int fd)");
  const answered = (result: number): number => (result < 0 ? -koffi.errno() : result);
  const waited = new Uint8Array(POLLFD_BYTES * 4);
  const words = new DataView(waited.buffer);
  loaded = {
    read: (descriptor, into, bytes) => answered(Number(read(descriptor, into, bytes))),
    write: (descriptor, from, bytes) => answered(Number(write(descriptor, from, bytes))),
    poll(descriptors, milliseconds) {
      for (const [index, descriptor] of descriptors.entries()) {
        words.setInt32(index * POLLFD_BYTES, descriptor, true);
        words.setInt32(index * POLLFD_BYTES + 4, POLLIN, true);
      }
      return answered(poll(waited, descriptors.length, milliseconds));
    },
    ioctl: (descriptor, request, argument) => answered(ioctl(descriptor, request, argument)),
    mount: (source, target, type, flags, data) => answered(mount(source, target, type, flags, data)),
    // koffi keeps errno for calls of this thread only: what failed is looked up by doing it again.
    unmount: (target, flags) =>
      new Promise((resolve) => {
        umount2.async(target, flags, (error: unknown, result: number) => {
          if (error === null && result >= 0) resolve(0);
          else resolve(answered(umount2(target, flags)));
        });
      }),
    eventfd: () => answered(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
    close: (descriptor) => answered(close(descriptor)),
  };
  return loaded;
}
