/* The loader of the UEFI application: it puts the image to its place at 1 MiB and starts it as a
 * multiboot loader would, with a memory map and a command line.
 *
 * - Position independent and without variables of its own: firmware may put it anywhere, and may
 *   forbid writing to it. boot/formats.ts writes the PE32+ headers before it (firmware.S is first).
 * - The command line is what it was called with (LoadOptions; iPXE and the UEFI shell give it), and
 *   behind that what is in the file.
 * - Once boot services are left the map is final: the image's place must be free in it. From there
 *   on only the serial port can say what is wrong.
 * - Source: UEFI Specification 2.10, chapters 4, 7, 9; Multiboot Specification 0.6.96, 3.3.
 */
#include <stddef.h>
#include <stdint.h>

#define ABI __attribute__((ms_abi))
#define LINE_MAX 896 /* COMMAND_LINE_MAX in shim.h */
#define PAGE 4096ull
#define TRIES 8
#define MAP_PAGES 16   /* of the firmware's memory map */
#define TABLE_PAGES 16 /* of what is handed on */
#define ENTRIES_MAX 2000
#define BELOW_4G 0xffffffffull

enum { ANY_BELOW = 1, AT_ADDRESS = 2 };
enum { LOADER_CODE = 1, LOADER_DATA = 2, BOOT_CODE = 3, BOOT_DATA = 4, CONVENTIONAL = 7 };

typedef uint64_t status_t;
typedef struct {
  uint8_t bytes[16];
} guid_t;

struct descriptor {
  uint32_t type, none;
  uint64_t physical, virtual, pages, attributes;
};

struct text_output {
  void *reset;
  status_t(ABI *output)(struct text_output *, const uint16_t *);
};

struct boot_services {
  uint8_t header[24];
  void *raise, *restore;
  status_t(ABI *allocate_pages)(uint32_t how, uint32_t type, uint64_t pages, uint64_t *address);
  void *free_pages;
  status_t(ABI *memory_map)(uint64_t *size, void *map, uint64_t *key, uint64_t *each, uint32_t *version);
  void *pool[2], *event[6], *install[3];
  status_t(ABI *handle_protocol)(void *handle, const guid_t *protocol, void **interface);
  void *reserved, *notify, *locate[2], *configure, *image[4];
  status_t(ABI *exit_boot_services)(void *handle, uint64_t key);
};

struct system_table {
  uint8_t header[24];
  void *vendor;
  uint64_t revision;
  void *in_handle, *in, *out_handle;
  struct text_output *out;
  void *error_handle, *error, *runtime;
  struct boot_services *boot;
};

struct loaded_image {
  uint32_t revision;
  void *parent, *system, *device, *path, *reserved;
  uint32_t options_bytes;
  const uint16_t *options;
};

/* firmware.S */
extern const char firmware_line[LINE_MAX];
extern const uint32_t firmware_image[]; /* the multiboot header is its beginning: boot.S */
enum { LOAD = 4, LOAD_END = 5, BSS_END = 6, FIRMWARE_ENTRY = 8 };

static inline void out8(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }

static void say(const char *text) {
  for (; *text != 0; text++) {
    for (int i = 0; i < 50000; i++) {
      uint8_t ready;
      __asm__ volatile("inb %1, %0" : "=a"(ready) : "Nd"((uint16_t)0x3fd));
      if (ready & 0x20) break;
    }
    out8(0x3f8, (uint8_t)*text);
  }
}

/* Says it on the firmware's console, while that is there. */
static void tell(struct system_table *system, const char *text) {
  uint16_t wide[128];
  int i = 0;
  for (; text[i] != 0 && i < 127; i++) wide[i] = (uint8_t)text[i];
  wide[i] = 0;
  if (system->out != NULL) system->out->output(system->out, wide);
}

/* The words that it was called with; nothing when they are not text. */
static uint32_t called_with(struct system_table *system, void *handle, char *line) {
  const guid_t loaded = {{0xa1, 0x31, 0x1b, 0x5b, 0x62, 0x95, 0xd2, 0x11, 0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72,
                          0x3b}};
  struct loaded_image *image = NULL;
  if (system->boot->handle_protocol(handle, &loaded, (void **)&image) != 0 || image == NULL) return 0;
  uint32_t count = image->options_bytes / 2, length = 0;
  if (image->options == NULL) return 0;
  for (; length < count && length < LINE_MAX - 1 && image->options[length] != 0; length++) {
    if (image->options[length] < 0x20 || image->options[length] > 0x7e) return 0;
    line[length] = (char)image->options[length];
  }
  return length;
}

/* Writes the map as multiboot has it, neighbours joined; its length. `begin` to `end` must be free. */
static uint32_t convert(const uint8_t *map, uint64_t size, uint64_t each, uint8_t *to, uint64_t begin, uint64_t end,
                        uint64_t *free) {
  uint32_t count = 0;
  uint64_t last = 0, length = 0;
  for (uint64_t at = 0; at + each <= size && count < ENTRIES_MAX; at += each) {
    const struct descriptor *one = (const struct descriptor *)(map + at);
    if (one->type != CONVENTIONAL && (one->type < LOADER_CODE || one->type > BOOT_DATA)) continue;
    uint64_t from = one->physical, until = from + one->pages * PAGE;
    if (from < end && until > begin) *free += (until < end ? until : end) - (from > begin ? from : begin);
    if (count > 0 && from == last + length) {
      length += until - from;
      *(uint64_t *)(to + 24 * count - 24 + 12) = length;
      continue;
    }
    uint8_t *entry = to + 24 * count++;
    *(uint32_t *)entry = 20;
    *(uint64_t *)(entry + 4) = last = from;
    *(uint64_t *)(entry + 12) = length = until - from;
    *(uint32_t *)(entry + 20) = 1;
  }
  return 24 * count;
}

status_t ABI efi_main(void *handle, struct system_table *system) {
  struct boot_services *boot = system->boot;
  uint64_t begin = firmware_image[LOAD], loaded = firmware_image[LOAD_END], end = firmware_image[BSS_END];
  uint64_t first = begin & ~(uint64_t)(PAGE - 1), place = first, map = BELOW_4G, table = BELOW_4G;
  boot->allocate_pages(AT_ADDRESS, LOADER_DATA, (end - first + PAGE - 1) / PAGE, &place);
  if (boot->allocate_pages(ANY_BELOW, LOADER_DATA, MAP_PAGES, &map) != 0 ||
      boot->allocate_pages(ANY_BELOW, LOADER_DATA, TABLE_PAGES, &table) != 0) {
    tell(system, "Proteus: no memory below 4 GiB\r\n");
    return 0x8000000000000009ull;
  }
  uint32_t *information = (uint32_t *)table;
  char *line = (char *)table + 256;
  uint32_t length = called_with(system, handle, line);
  if (length > 0) line[length++] = ' ';
  for (uint32_t i = 0; i < LINE_MAX && length < LINE_MAX - 1 && firmware_line[i] != 0; i++)
    line[length++] = firmware_line[i];
  line[length] = 0;
  uint64_t size = 0, key = 0, each = 0, left = 1;
  uint32_t version = 0;
  for (int i = 0; i < TRIES && left != 0; i++) {
    size = MAP_PAGES * PAGE;
    if (boot->memory_map(&size, (void *)map, &key, &each, &version) != 0) break;
    left = boot->exit_boot_services(handle, key);
  }
  if (left != 0 || each < sizeof(struct descriptor)) {
    tell(system, "Proteus: the firmware does not let go of the machine\r\n");
    return 0x8000000000000015ull;
  }
  __asm__ volatile("cli");
  uint64_t free = 0, above = (end + PAGE - 1) & ~(PAGE - 1);
  uint8_t *entries = (uint8_t *)table + PAGE;
  uint32_t bytes = convert((const uint8_t *)map, size, each, entries, first, above, &free);
  uint64_t own = (uint64_t)firmware_image;
  int covered = (own < above && own + (loaded - begin) > begin) || (table < above && table + TABLE_PAGES * PAGE > begin);
  if (free < above - first || covered) {
    say("\r\nProteus: the firmware keeps the memory at 1 MiB, where the image has its place\r\n");
    for (;;) __asm__ volatile("hlt");
  }
  information[0] = 1 << 2 | 1 << 6;
  information[4] = (uint32_t)(uint64_t)line;
  information[11] = bytes;
  information[12] = (uint32_t)(uint64_t)entries;
  uint64_t to = begin, count = loaded - begin;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(own), "+c"(count)::"memory");
  count = end - loaded;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(0) : "memory");
  __asm__ volatile("jmp *%0" ::"r"((uint64_t)firmware_image[FIRMWARE_ENTRY]), "D"(information) : "memory");
  __builtin_unreachable();
}
