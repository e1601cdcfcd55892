/* Two WebAssembly modules, kernel and metal, on a machine of their own: their memory, what they
 * import, and the loop that gives them turns.
 *
 * - The linear memory is the largest piece of RAM; a DMA address is its physical base and an offset.
 * - The kernel's imports go to metal.wasm, which has the drivers; metal's imports are the machine:
 *   ports, memory-mapped registers, clock, randomness.
 * - The command line is put where boot/metal/command-line.ts says.
 */
#include "kernel.h"
#include "metal.h"
#include "shim.h"

#define PAGE 65536
#define LINEAR_MAX (512 * LARGE_PAGE) /* what one page directory holds */
#define RECORD 64                     /* boot/metal/command-line.ts */

wasm_rt_memory_t linear;
static uint64_t physical_base;
static w2c_kernel kernel;
static w2c_metal metal;
extern uint64_t linear_directory[], low_pointers[];

/* ---- what the modules import ---- */

wasm_rt_memory_t *w2c_env_memory(struct w2c_env *env) { return (void)env, &linear; }

u32 w2c_env_transmit(struct w2c_env *env, u32 network, u32 head, u32 head_length, u32 body, u32 body_length) {
  (void)env;
  return w2c_metal_transmit(&metal, network, head, head_length, body, body_length);
}

void w2c_env_random(struct w2c_env *env, u32 pointer, u32 length) {
  (void)env;
  if ((uint64_t)pointer + length > linear.size) wasm_rt_trap(WASM_RT_TRAP_OOB);
  if (machine_random(linear.data + pointer, length) || w2c_metal_entropyFill(&metal, pointer, length) != 0) return;
  panic("no randomness: the processor has no RDRAND, and there is no virtio-rng device that gives any", 0, 0,
        (uint64_t)__builtin_frame_address(0));
}

void w2c_env_log(struct w2c_env *env, u32 pointer, u32 length) {
  (void)env;
  w2c_metal_log(&metal, pointer, length);
}

void w2c_env_trap(struct w2c_env *env, u32 code) {
  (void)env;
  panic("assertion failed:", code, 0, (uint64_t)__builtin_frame_address(0));
}

u64 w2c_host_physical(struct w2c_host *host, u32 pointer) { return (void)host, physical_base + pointer; }
f64 w2c_host_now(struct w2c_host *host) { return (void)host, machine_now(); }
void w2c_host_fence(struct w2c_host *host) {
  (void)host;
  __asm__ volatile("mfence" ::: "memory");
}
void w2c_host_reset(struct w2c_host *host) { (void)host, machine_reset(); }
void w2c_host_watchdog(struct w2c_host *host, u32 seconds) { (void)host, machine_watchdog(seconds); }

void w2c_host_frame(struct w2c_host *host, u32 network, u32 sent, u32 pointer, u32 length, u32 whole) {
  (void)host;
  if ((uint64_t)pointer + length > linear.size) wasm_rt_trap(WASM_RT_TRAP_OOB);
  remember_frame(network, sent != 0, linear.data + pointer, length, whole);
}

u32 w2c_host_port_in(struct w2c_host *host, u32 port, u32 bytes) {
  (void)host;
  uint16_t at = (uint16_t)port;
  return bytes == 1 ? in8(at) : bytes == 2 ? in16(at) : in32(at);
}

void w2c_host_port_out(struct w2c_host *host, u32 port, u32 bytes, u32 value) {
  (void)host;
  uint16_t at = (uint16_t)port;
  if (bytes == 1) out8(at, (uint8_t)value);
  else if (bytes == 2) out16(at, (uint16_t)value);
  else out32(at, value);
}

#define GIB (1ull << 30)
#define NEAR (4 * GIB)   /* mapped as it is (boot.S) */
#define FAR_FIRST 256    /* entries of low_pointers for what lies beyond */
#define FAR_WINDOWS 4
#define UNCACHED_LARGE_PAGE 0x9b

/* Bits of an address that this processor has. */
static unsigned address_bits(void) {
  uint32_t a = 0x80000008, b, c, d;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
  return a & 0xff;
}

/* Where registers are reached; 0: nowhere. UEFI firmware puts them far above 4 GiB: their GiB is mapped
 * when it is asked for, where addresses are free. */
static uint64_t reach(uint64_t address) {
  static uint64_t windows[FAR_WINDOWS][512] __attribute__((aligned(4096)));
  static uint64_t begins[FAR_WINDOWS];
  static unsigned used;
  if (address < NEAR) return address;
  uint64_t begin = address & ~(GIB - 1);
  unsigned window = 0;
  while (window < used && begins[window] != begin) window++;
  if (window == used) {
    if (used == FAR_WINDOWS || address >> address_bits() != 0) return 0;
    begins[used++] = begin;
    for (uint64_t page = 0; page < 512; page++)
      windows[window][page] = begin + page * LARGE_PAGE + UNCACHED_LARGE_PAGE;
    low_pointers[FAR_FIRST + window] = (uint64_t)windows[window] + 3;
  }
  return (FAR_FIRST + window) * GIB + (address - begin);
}

u32 w2c_host_register_load(struct w2c_host *host, u64 address, u32 bytes) {
  (void)host;
  address = reach(address);
  if (address == 0) return 0xffffffff;
  if (bytes == 1) return *(volatile uint8_t *)address;
  if (bytes == 2) return *(volatile uint16_t *)address;
  return *(volatile uint32_t *)address;
}

void w2c_host_register_store(struct w2c_host *host, u64 address, u32 bytes, u32 value) {
  (void)host;
  address = reach(address);
  if (address == 0) return;
  if (bytes == 1) *(volatile uint8_t *)address = (uint8_t)value;
  else if (bytes == 2) *(volatile uint16_t *)address = (uint16_t)value;
  else *(volatile uint32_t *)address = value;
}

void wasm_rt_allocate_funcref_table(wasm_rt_funcref_table_t *table, uint32_t elements, uint32_t max) {
  static wasm_rt_funcref_t entries[256];
  static uint32_t used;
  if (elements > 256 - used) panic("more functions in tables than there is room for", elements, 0, 0);
  *table = (wasm_rt_funcref_table_t){entries + used, max, elements};
  used += elements;
}

/* ---- what the compiler calls ---- */

void *memcpy(void *to, const void *from, size_t length) {
  void *at = to;
  size_t words = length >> 3, rest = length & 7;
  __asm__ volatile("rep movsq; mov %3, %%rcx; rep movsb"
                   : "+D"(at), "+S"(from), "+c"(words) : "r"(rest) : "memory");
  return to;
}

void *memmove(void *to, const void *from, size_t length) {
  if ((uintptr_t)to - (uintptr_t)from >= length) return memcpy(to, from, length);
  uint8_t *at = (uint8_t *)to + length;
  const uint8_t *behind = (const uint8_t *)from + length;
  while (length-- > 0) *--at = *--behind;
  return to;
}

void *memset(void *to, int byte, size_t length) {
  void *at = to;
  size_t words = length >> 3, rest = length & 7;
  uint64_t value = 0x0101010101010101ull * (uint8_t)byte;
  __asm__ volatile("rep stosq; mov %3, %%rcx; rep stosb"
                   : "+D"(at), "+c"(words) : "a"(value), "r"(rest) : "memory");
  return to;
}

int memcmp(const void *a, const void *b, size_t length) {
  const uint8_t *x = a, *y = b;
  for (; length > 0; length--, x++, y++)
    if (*x != *y) return *x - *y;
  return 0;
}

/* ---- the turns ---- */

void shim_main(uint32_t magic, uint32_t information) {
  static char command_line[COMMAND_LINE_MAX];
  panic_gates();
  struct range memory = machine_memory(magic, information, command_line);
  machine_clock();
  if (memory.end == 0)
    panic(machine_has_map ? "too little memory: there are no 2 MiB of it behind the image"
                          : "no memory map: the loader gave none (multiboot, PVH), and there is no fw_cfg",
          0, 0, 0);
  uint64_t bytes = memory.end - memory.begin;
  if (bytes > LINEAR_MAX) bytes = LINEAR_MAX;
  physical_base = memory.begin;
  for (uint64_t at = 0; at < bytes; at += LARGE_PAGE) linear_directory[at / LARGE_PAGE] = (memory.begin + at) | 0x83;
  linear = (wasm_rt_memory_t){(uint8_t *)LINEAR_BASE, bytes / PAGE, bytes / PAGE, bytes, false};
  memset(linear.data, 0, bytes);
  memcpy(linear.data + RECORD, command_line, COMMAND_LINE_MAX);
  wasm2c_kernel_instantiate(&kernel, NULL);
  wasm2c_metal_instantiate(&metal, NULL, NULL, &kernel);
  w2c_metal_start(&metal);
  for (;;) {
    machine_turned();
    double deadline = w2c_metal_turn(&metal, machine_now());
    if (deadline != 0) machine_idle(deadline);
  }
}
