/* The end of a machine: what happened, where, and the way there, on the console; then it boots again.
 *
 * - A fault in the guard pages behind the linear memory tells the address in WebAssembly's terms.
 * - The back trace follows the frame pointers. Names come from the table that the image builder
 *   links in (`.symbols`): address and offset of the name, sorted, ended by an address of 0.
 * - The last frames: their addresses, types, lengths and first bytes. It uses nothing of the modules:
 *   they may be what is broken.
 * - Source: Intel SDM volume 3, 6.14 (gates and stacks in 64-bit mode); NS16550 data sheet.
 */
#include "shim.h"

#define COM1 0x3f8
#define LINE_STATUS 5
#define REBOOT_AFTER_US 3e6
#define FRAMES_MAX 24
#define VECTOR_TIMER 0x31 /* machine.c */
#define GUARD_BYTES 0x200000000ull

struct symbol {
  uint32_t address, name;
};
extern const struct symbol symbols[];
extern const char symbol_names[];
extern uint8_t image_start[], image_end[];

static void say_byte(char byte) {
  for (int i = 0; i < 100000 && !(in8(COM1 + LINE_STATUS) & 0x20); i++) __asm__ volatile("pause");
  out8(COM1, (uint8_t)byte);
}

void say(const char *text) {
  for (; *text != 0; text++) {
    if (*text == '\n') say_byte('\r');
    say_byte(*text);
  }
}

void say_hex(uint64_t value) {
  say("0x");
  int shift = 60;
  while (shift > 0 && value >> shift == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) say_byte("0123456789abcdef"[value >> shift & 15]);
}

void say_number(uint64_t value) {
  if (value >= 10) say_number(value / 10);
  say_byte((char)('0' + value % 10));
}

static const struct symbol *symbol_of(uint64_t address) {
  const struct symbol *found = NULL;
  for (const struct symbol *each = symbols; each->address != 0 && each->address <= address; each++) found = each;
  return found;
}

static void say_place(uint64_t address) {
  const struct symbol *found = symbol_of(address);
  say("  ");
  say_hex(address);
  if (found != NULL && address < (uint64_t)image_end) {
    say(" ");
    say(symbol_names + found->name);
    say("+");
    say_hex(address - found->address);
  }
  say("\n");
}

static bool on_stack(uint64_t frame) { return frame >= STACK_TOP - 31 * 4096 && frame < STACK_TOP - 16 && !(frame & 7); }

/* Who called a function that has no frame of its own yet, or none any more: the frame pointer is its
 * caller's there, and the way back would leave that one out. 0: it has one. */
static uint64_t caller_of(uint64_t where, uint64_t stack) {
  const struct symbol *function = symbol_of(where);
  if (function == NULL || where >= (uint64_t)image_end || !on_stack(stack)) return 0;
  const uint8_t *code = (const uint8_t *)where;
  const uint64_t *top = (const uint64_t *)stack;
  if (where == function->address || *code == 0xc3) return top[0]; /* before push %rbp; ret */
  return where == function->address + 1ull && code[-1] == 0x55 ? top[1] : 0;
}

/* ---- the last frames ---- */

#define REMEMBERED 6
#define KEPT 48

static struct {
  double at;
  uint32_t network, whole, kept;
  bool sent;
  uint8_t bytes[KEPT];
} frames[REMEMBERED];
static uint32_t frame_count;

void remember_frame(uint32_t network, bool sent, const uint8_t *bytes, uint32_t length, uint32_t whole) {
  uint32_t index = frame_count++ % REMEMBERED;
  frames[index].at = machine_now();
  frames[index].network = network;
  frames[index].whole = whole;
  frames[index].sent = sent;
  frames[index].kept = length < KEPT ? length : KEPT;
  __builtin_memcpy(frames[index].bytes, bytes, frames[index].kept);
}

static void say_bytes(const uint8_t *bytes, uint32_t length) {
  for (uint32_t i = 0; i < length; i++) {
    say_byte("0123456789abcdef"[bytes[i] >> 4]);
    say_byte("0123456789abcdef"[bytes[i] & 15]);
  }
}

/* Addresses, type, length, the bytes behind the Ethernet header; the last one last. */
static void say_frames(void) {
  if (frame_count == 0) return;
  say("last frames:\n");
  double now = machine_now();
  for (uint32_t i = frame_count < REMEMBERED ? 0 : frame_count - REMEMBERED; i != frame_count; i++) {
    uint32_t index = i % REMEMBERED, kept = frames[index].kept;
    const uint8_t *bytes = frames[index].bytes;
    say(frames[index].sent ? "  sent on eth" : "  received on eth");
    say_number(frames[index].network);
    say(", ");
    say_number((uint64_t)((now - frames[index].at) / 1000));
    say(" ms ago: ");
    if (kept >= 14) {
      say_bytes(bytes + 6, 6);
      say(" > ");
      say_bytes(bytes, 6);
      say(" type ");
      say_bytes(bytes + 12, 2);
    }
    say(" length ");
    say_number(frames[index].whole);
    say(": ");
    if (kept > 14) say_bytes(bytes + 14, kept - 14);
    say("\n");
  }
}

static _Noreturn void panic_at(const char *reason, uint64_t detail, uint64_t where, uint64_t caller, uint64_t frame) {
  static bool panicking;
  __asm__ volatile("cli" ::: "memory");
  if (panicking) machine_reset();
  panicking = true;
  say("\npanic: ");
  say(reason);
  if (detail != 0) {
    say(" ");
    say_hex(detail);
  }
  say("\n");
  if (where != 0) say_place(where);
  if (caller != 0) say_place(caller);
  for (int i = 0; i < FRAMES_MAX && on_stack(frame); i++) {
    const uint64_t *at = (const uint64_t *)frame;
    if (at[1] == 0) break;
    say_place(at[1]);
    if (at[0] <= frame) break;
    frame = at[0];
  }
  say_frames();
  say("booting again in 3 s\n");
  double until = machine_now() + REBOOT_AFTER_US;
  while (machine_now() < until) __asm__ volatile("pause");
  machine_reset();
}

void panic(const char *reason, uint64_t detail, uint64_t where, uint64_t frame) {
  panic_at(reason, detail, where, 0, frame);
}

static const char *const reasons[32] = {
    [0] = "division by zero or overflow", [6] = "unreachable code",     [8] = "double fault",
    [13] = "protection fault",            [14] = "page fault at",       [16] = "floating point fault",
    [17] = "alignment fault",             [18] = "machine check",       [19] = "SIMD fault",
};

_Noreturn void shim_fault(uint64_t vector, uint64_t error, uint64_t where, uint64_t stack, uint64_t frame,
                          uint64_t address) {
  uint64_t caller = caller_of(where, stack);
  if (vector == 14) {
    if (address >= LINEAR_BASE && address < LINEAR_BASE + GUARD_BYTES)
      panic_at("access outside of the linear memory, at", address - LINEAR_BASE, where, caller, frame);
    if (address >= STACK_TOP - 64 * 4096 && address < STACK_TOP)
      panic_at("the stack is exhausted", 0, where, caller, frame);
    panic_at(reasons[14], address, where, caller, frame);
  }
  if (vector == VECTOR_TIMER)
    panic_at("the machine hangs: a turn took longer than the watchdog allows", 0, where, caller, frame);
  const char *reason = vector < 32 ? reasons[vector] : NULL;
  panic_at(reason == NULL ? "unexpected exception" : reason, error, where, caller, frame);
}

void wasm_rt_trap(wasm_rt_trap_t trap) {
  static const char *const names[] = {
      "trap",        "access outside of the linear memory", "integer overflow",     "integer division by zero",
      "no such integer", "unreachable code reached",    "wrong function called", "the stack is exhausted",
  };
  panic(names[trap], 0, 0, (uint64_t)__builtin_frame_address(0));
}

/* ---- gates ---- */

extern uint8_t interrupt_stubs[], interrupt_device[], interrupt_timer[], interrupt_spurious[], task_descriptor[];
static struct {
  uint32_t low, high, none[2];
} gates[256] __attribute__((aligned(16)));
static uint8_t fault_stack[8192] __attribute__((aligned(16)));
static uint32_t task[26];

static void gate(int vector, const uint8_t *handler, uint32_t stack) {
  uint64_t at = (uint64_t)handler;
  gates[vector].low = 8 << 16 | (at & 0xffff);
  gates[vector].high = (uint32_t)(at & 0xffff0000) | 0x8e00 | stack;
}

void panic_gates(void) {
  for (int vector = 0; vector < 32; vector++) gate(vector, interrupt_stubs + 16 * vector, 1);
  for (int vector = 32; vector < 256; vector++) gate(vector, interrupt_device, 0);
  gate(VECTOR_TIMER, interrupt_timer, 1);
  gate(255, interrupt_spurious, 0);
  uint64_t top = (uint64_t)(fault_stack + sizeof fault_stack), at = (uint64_t)task;
  task[9] = (uint32_t)top; /* the first of the interrupt stacks */
  task[10] = (uint32_t)(top >> 32);
  task[25] = sizeof task << 16;
  ((uint64_t *)task_descriptor)[0] =
      (sizeof task - 1) | (at & 0xffffff) << 16 | 0x89ull << 40 | (at >> 24 & 0xff) << 56;
  ((uint64_t *)task_descriptor)[1] = at >> 32;
  struct {
    uint16_t limit;
    uint64_t base;
  } __attribute__((packed)) table = {sizeof gates - 1, (uint64_t)gates};
  __asm__ volatile("lidt %0; ltr %w1" ::"m"(table), "r"(24));
}
