/* The machine below: how much memory it has, its clock and timer, randomness, its end.
 *
 * - Memory from the multiboot memory map or PVH's; where a loader gives none (qboot with PVH, rom.S),
 *   the size from QEMU's fw_cfg, and the command line too: the kernel's, or a file of that name.
 * - The clock is the processor's counter, its speed measured against channel 0 of the PIT; the same
 *   moment measures the timer of the local APIC. All in microseconds since the start.
 * - Source: Multiboot Specification 0.6.96 3.3; Xen public/arch-x86/hvm/start_info.h; QEMU
 *   docs/specs/fw_cfg; Intel SDM volume 3, chapter 11; Intel 8254 data sheet.
 */
#include "shim.h"

#define MULTIBOOT_LOADED 0x2badb002
#define MULTIBOOT_HAS_COMMAND (1 << 2)
#define MULTIBOOT_HAS_MAP (1 << 6)
#define PVH_MAGIC 0x336ec578
#define KIND_RAM 1
#define FW_CFG_RAM 3
#define FW_CFG_COMMAND_SIZE 0x14
#define FW_CFG_COMMAND 0x15
#define FW_CFG_FILES 0x19
#define FW_CFG_NAME 56
#define FW_CFG_LINE "opt/proteus/command-line"
#define LOW_END 0x100000000ull

extern uint8_t bss_end[];

bool machine_has_map;

static uint64_t read64(uint64_t at) { return *(volatile uint64_t *)at; }
static uint32_t read32(uint64_t at) { return *(volatile uint32_t *)at; }

static void consider(struct range *best, uint64_t begin, uint64_t length) {
  machine_has_map = machine_has_map || length > 0;
  uint64_t end = begin + length;
  uint64_t behind = (uint64_t)bss_end;
  if (end > LOW_END) end = LOW_END;
  if (begin < behind) begin = behind;
  begin = (begin + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1);
  end &= ~(LARGE_PAGE - 1);
  if (end > begin && end - begin > best->end - best->begin) *best = (struct range){begin, end};
}

static void copy_line(char *to, uint64_t from) {
  uint32_t length = 0;
  if (from != 0)
    for (const char *at = (const char *)from; at[length] != 0 && length < COMMAND_LINE_MAX - 1; length++)
      to[length] = at[length];
  to[length] = 0;
}

static uint64_t fw_cfg(uint16_t key, uint32_t bytes) {
  uint64_t value = 0;
  out16(0x510, key);
  for (uint32_t i = 0; i < bytes; i++) value |= (uint64_t)in8(0x511) << (8 * i);
  return value;
}

static uint32_t fw_cfg_next(uint32_t bytes) { /* most significant byte first */
  uint32_t value = 0;
  for (uint32_t i = 0; i < bytes; i++) value = value << 8 | in8(0x511);
  return value;
}

/* Selects the file with the command line; its length, 0: there is none. */
static uint32_t fw_cfg_line(void) {
  out16(0x510, FW_CFG_FILES);
  for (uint32_t left = fw_cfg_next(4); left > 0 && left < 1000; left--) {
    uint32_t length = fw_cfg_next(4), key = fw_cfg_next(4) >> 16;
    bool same = true;
    for (uint32_t i = 0; i < FW_CFG_NAME; i++) {
      uint8_t byte = in8(0x511);
      if (i < sizeof FW_CFG_LINE && byte != (uint8_t)FW_CFG_LINE[i]) same = false;
    }
    if (!same) continue;
    out16(0x510, (uint16_t)key);
    return length;
  }
  return 0;
}

static bool has_fw_cfg(void) { return fw_cfg(0, 4) == 0x554d4551; /* QEMU */ }

static void ask_fw_cfg(struct range *best, char *line) {
  if (!has_fw_cfg()) return;
  if (best->end == 0) consider(best, 0, fw_cfg(FW_CFG_RAM, 8));
  uint32_t length = (uint32_t)fw_cfg(FW_CFG_COMMAND_SIZE, 4);
  if (line[0] != 0) return;
  if (length > 0) out16(0x510, FW_CFG_COMMAND);
  else length = fw_cfg_line();
  for (uint32_t i = 0; i < length && i < COMMAND_LINE_MAX - 1; i++) line[i] = (char)in8(0x511);
}

struct range machine_memory(uint32_t magic, uint32_t information, char *line) {
  struct range best = {0, 0};
  if (magic == MULTIBOOT_LOADED) {
    uint32_t flags = read32(information);
    if (flags & MULTIBOOT_HAS_COMMAND) copy_line(line, read32(information + 16));
    if (flags & MULTIBOOT_HAS_MAP) {
      uint32_t at = read32(information + 48), end = at + read32(information + 44);
      for (; at < end; at += read32(at) + 4)
        if (read32(at + 20) == KIND_RAM) consider(&best, read64(at + 4), read64(at + 12));
    }
  } else if (information != 0 && read32(information) == PVH_MAGIC) {
    copy_line(line, read64(information + 24));
    if (read32(information + 4) >= 1) {
      uint64_t at = read64(information + 40);
      for (uint32_t left = read32(information + 48); at != 0 && left > 0; left--, at += 24)
        if (read32(at + 16) == KIND_RAM) consider(&best, read64(at), read64(at + 8));
    }
  }
  if (best.end == 0 || line[0] == 0) ask_fw_cfg(&best, line);
  return best;
}

/* ---- clock and timer ---- */

#define APIC 0xfee00000ull
#define APIC_SPURIOUS 0xf0
#define APIC_TIMER 0x320
#define APIC_TIMER_START 0x380
#define APIC_TIMER_LEFT 0x390
#define APIC_TIMER_DIVIDE 0x3e0
#define PIT_HZ 1193182
#define PIT_MEASURED 2400 /* of its ticks: 2 ms */

static uint64_t started;
static double microseconds_a_tick, timer_ticks_a_microsecond;

static void apic(uint32_t field, uint32_t value) { *(volatile uint32_t *)(APIC + field) = value; }

static uint16_t pit_count(void) {
  out8(0x43, 0x00); /* latch channel 0 */
  uint16_t low = in8(0x40);
  return (uint16_t)(low | in8(0x40) << 8);
}

void machine_clock(void) {
  out8(0x21, 0xff); /* no interrupts of the old controllers */
  out8(0xa1, 0xff);
  apic(APIC_SPURIOUS, 0x1ff);
  apic(APIC_TIMER_DIVIDE, 0x3); /* by 16 */
  apic(APIC_TIMER, 0x10031);    /* masked while it is measured */
  out8(0x43, 0x34);             /* channel 0 counts down from 65536, again and again */
  out8(0x40, 0);
  out8(0x40, 0);
  uint16_t before = pit_count();
  uint64_t begun = started = ticks();
  apic(APIC_TIMER_START, 0xffffffff);
  uint16_t passed;
  uint64_t now;
  do {
    passed = (uint16_t)(before - pit_count());
    now = ticks();
    if (now - begun > 20000000000ull) panic("the timer (PIT) stands still", 0, 0, 0);
  } while (passed < PIT_MEASURED);
  double took = passed * (1e6 / PIT_HZ);
  microseconds_a_tick = took / (double)(now - begun);
  timer_ticks_a_microsecond = (0xffffffffu - *(volatile uint32_t *)(APIC + APIC_TIMER_LEFT)) / took;
  apic(APIC_TIMER, 0x31);
  apic(APIC_TIMER_START, 0);
}

double machine_now(void) {
  /* Whole microseconds: what the kernel's clock is made of. */
  return (double)(uint64_t)((double)(ticks() - started) * microseconds_a_tick);
}

void shim_wait(void);
extern volatile uint32_t turn_seconds, watchdog_limit, watchdog_second;
extern volatile uint8_t interrupted;

void machine_idle(double deadline) {
  __asm__ volatile("cli" ::: "memory");
  double left = deadline < 0 ? 0 : (deadline - machine_now()) * timer_ticks_a_microsecond;
  if (!interrupted && (deadline < 0 || left >= 1)) {
    apic(APIC_TIMER_START, left > 4e9 ? 4000000000u : (uint32_t)left);
    shim_wait();
    apic(APIC_TIMER_START, watchdog_second);
  }
  interrupted = 0;
  if (watchdog_limit != 0) __asm__ volatile("sti" ::: "memory");
}

/* ---- the watchdog: the same timer, a second at a time, while nobody sleeps ---- */

void machine_turned(void) { turn_seconds = 0; }

void machine_watchdog(uint32_t seconds) {
  double second = 1e6 * timer_ticks_a_microsecond;
  turn_seconds = 0;
  watchdog_limit = seconds;
  watchdog_second = seconds == 0 ? 0 : second > 4e9 ? 4000000000u : (uint32_t)second;
  if (seconds == 0) return;
  apic(APIC_TIMER_START, watchdog_second);
  __asm__ volatile("sti" ::: "memory");
}

/* ---- randomness, and the end ---- */

static bool has_rdrand(void) {
  uint32_t a = 1, b, c = 0, d;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return c >> 30 & 1;
}

bool machine_random(uint8_t *to, uint32_t length) {
  if (!has_rdrand()) return false;
  while (length > 0) {
    uint64_t value;
    uint8_t good = 0;
    for (int i = 0; i < 64 && !good; i++) __asm__ volatile("rdrand %0; setc %1" : "=r"(value), "=qm"(good)::"cc");
    if (!good) return false;
    for (int i = 0; i < 8 && length > 0; i++, length--, value >>= 8) *to++ = (uint8_t)value;
  }
  return true;
}

void machine_reset(void) {
  struct {
    uint16_t limit;
    uint64_t base;
  } __attribute__((packed)) none = {0, 0};
  out8(0x64, 0xfe); /* the keyboard controller, where there is one */
  __asm__ volatile("lidt %0; int3" ::"m"(none));
  for (;;) __asm__ volatile("hlt");
}
