/* What the parts of the shim share: port and memory access, the panic, the machine's description.
 *
 * - machine.c finds out what there is; shim.c runs it; panic.c says why it ended.
 * - Everything runs on one processor. Interrupts are open once machine_watchdog was called; what they
 *   do is to wake, and to count the seconds of a turn.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "wasm-rt.h"

#define LINEAR_BASE 0x8000000000ull /* as in boot.S */
#define STACK_TOP 0x10000020000ull
#define LARGE_PAGE 0x200000ull
#define COMMAND_LINE_MAX 896

static inline void out8(uint16_t port, uint8_t value) {
  __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port) : "memory");
}
static inline void out16(uint16_t port, uint16_t value) {
  __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port) : "memory");
}
static inline void out32(uint16_t port, uint32_t value) {
  __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port) : "memory");
}
static inline uint8_t in8(uint16_t port) {
  uint8_t value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}
static inline uint16_t in16(uint16_t port) {
  uint16_t value;
  __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}
static inline uint32_t in32(uint16_t port) {
  uint32_t value;
  __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}
static inline uint64_t ticks(void) {
  uint32_t low, high;
  __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
  return (uint64_t)high << 32 | low;
}

/* machine.c */
struct range {
  uint64_t begin, end;
};
/* Somebody said where memory is, if not enough of it: what machine_memory leaves. */
extern bool machine_has_map;
/* The largest piece of RAM below 4 GiB behind the image, whole large pages; and the command line. */
struct range machine_memory(uint32_t magic, uint32_t information, char *command_line);
/* Measures the clock, opens the processor's interrupt controller. */
void machine_clock(void);
double machine_now(void);
/* Sleeps until an interrupt, or `deadline` (microseconds; below zero: only an interrupt). */
void machine_idle(double deadline);
/* A turn begins. One that takes longer than so many seconds is a panic; 0: never. */
void machine_turned(void);
void machine_watchdog(uint32_t seconds);
/* Random bytes of the processor; false when it has none to give. */
bool machine_random(uint8_t *to, uint32_t length);
_Noreturn void machine_reset(void);

/* panic.c */
void say(const char *text);
void say_hex(uint64_t value);
void say_number(uint64_t value);
/* Opens the gates for interrupts and exceptions. */
void panic_gates(void);
/* Keeps the first bytes of a frame for a panic: `length` of its `whole` are at `bytes`. */
void remember_frame(uint32_t network, bool sent, const uint8_t *bytes, uint32_t length, uint32_t whole);
_Noreturn void panic(const char *reason, uint64_t detail, uint64_t where, uint64_t frame);

extern wasm_rt_memory_t linear;
