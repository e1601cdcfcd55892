/* Prints FUSE's structures as bytes, from the system's own linux/fuse.h: test/vectors/fuse.json.
 *
 *     cc -o /tmp/fuse-golden test/vectors/fuse-golden.c && /tmp/fuse-golden > test/vectors/fuse.json
 *
 * Each field has another value, so that one at the wrong place is found. What is newer than 7.38
 * (passthrough: max_stack_depth behind flags2, backing_id in place of open's padding) is in the test. */
#include <linux/fuse.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static unsigned char room[4096];
static size_t used;
static int first = 1;

static void put(const void *bytes, size_t count) { memcpy(room + used, bytes, count); used += count; }
static void text(const char *bytes) { put(bytes, strlen(bytes) + 1); }

static void begin(unsigned opcode) {
    struct fuse_in_header head = { .opcode = opcode, .unique = 0x1122334455667788, .nodeid = 0x123456789abc,
        .uid = 1001, .gid = 1002, .pid = 1003 };
    used = 0;
    put(&head, sizeof head);
}

static void print(const char *name) {
    printf("%s  \"%s\": \"", first ? "{\n" : ",\n", name);
    for (size_t at = 0; at < used; at++) printf("%02x", room[at]);
    printf("\"");
    first = 0;
}

static void request(const char *name) { unsigned length = used; memcpy(room, &length, 4); print(name); }

static void reply(int error) {
    struct fuse_out_header head = { .error = error, .unique = 0x1122334455667788 };
    used = 0;
    put(&head, sizeof head);
}

static struct fuse_attr attributes = { .ino = 0x123456789abc, .size = 0x1000000001, .blocks = 17, .atime = 101,
    .mtime = 102, .ctime = 103, .atimensec = 201, .mtimensec = 202, .ctimensec = 203, .mode = 0100644, .nlink = 3,
    .uid = 1001, .gid = 1002, .rdev = 0x103, .blksize = 4096 };

static struct fuse_entry_out entry(void) {
    struct fuse_entry_out out = { .nodeid = 0x123456789abc, .generation = 7, .entry_valid = 1,
        .attr_valid = 2, .entry_valid_nsec = 500000000, .attr_valid_nsec = 250000000, .attr = attributes };
    return out;
}

int main(void) {
    begin(FUSE_INIT);
    struct fuse_init_in init = { .major = 7, .minor = 38, .max_readahead = 131072, .flags = 0x73fffffb, .flags2 = 0x21 };
    put(&init, sizeof init); request("init");
    begin(FUSE_LOOKUP); text("na\xffme"); request("lookup");
    begin(FUSE_FORGET);
    struct fuse_forget_in forget = { .nlookup = 5 };
    put(&forget, sizeof forget); request("forget");
    begin(FUSE_BATCH_FORGET);
    struct fuse_batch_forget_in batch = { .count = 2 };
    struct fuse_forget_one ones[2] = { { .nodeid = 2, .nlookup = 3 }, { .nodeid = 4, .nlookup = 5 } };
    put(&batch, sizeof batch); put(ones, sizeof ones); request("batchForget");
    begin(FUSE_GETATTR);
    struct fuse_getattr_in getattr = { .getattr_flags = FUSE_GETATTR_FH, .fh = 77 };
    put(&getattr, sizeof getattr); request("getattr");
    begin(FUSE_SETATTR);
    struct fuse_setattr_in setattr = { .valid = FATTR_MODE | FATTR_UID | FATTR_GID | FATTR_SIZE | FATTR_ATIME |
        FATTR_MTIME | FATTR_FH, .fh = 77, .size = 0x1000000001, .lock_owner = 5, .atime = 101, .mtime = 102, .ctime = 103,
        .atimensec = 201, .mtimensec = 202, .ctimensec = 203, .mode = 0100600, .uid = 11, .gid = 12 };
    put(&setattr, sizeof setattr); request("setattr");
    begin(FUSE_SYMLINK); text("name"); text("../target"); request("symlink");
    begin(FUSE_MKNOD);
    struct fuse_mknod_in mknod = { .mode = 020666, .rdev = 0x103, .umask = 022 };
    put(&mknod, sizeof mknod); text("name"); request("mknod");
    begin(FUSE_MKDIR);
    struct fuse_mkdir_in mkdir = { .mode = 0777, .umask = 027 };
    put(&mkdir, sizeof mkdir); text("name"); request("mkdir");
    begin(FUSE_RENAME2);
    struct fuse_rename2_in rename2 = { .newdir = 99, .flags = 2 };
    put(&rename2, sizeof rename2); text("old"); text("new"); request("rename2");
    begin(FUSE_LINK);
    struct fuse_link_in link = { .oldnodeid = 55 };
    put(&link, sizeof link); text("name"); request("link");
    begin(FUSE_OPEN);
    struct fuse_open_in open = { .flags = 02 };
    put(&open, sizeof open); request("open");
    begin(FUSE_CREATE);
    struct fuse_create_in create = { .flags = 0102, .mode = 0100666, .umask = 022 };
    put(&create, sizeof create); text("name"); request("create");
    begin(FUSE_READ);
    struct fuse_read_in read = { .fh = 77, .offset = 0x1000000001, .size = 4096, .lock_owner = 5, .flags = 2 };
    put(&read, sizeof read); request("read");
    begin(FUSE_WRITE);
    struct fuse_write_in write = { .fh = 77, .offset = 0x1000000001, .size = 5, .lock_owner = 5 };
    put(&write, sizeof write); put("hello", 5); request("write");
    begin(FUSE_RELEASE);
    struct fuse_release_in release = { .fh = 77, .flags = 2, .lock_owner = 5 };
    put(&release, sizeof release); request("release");
    begin(FUSE_FLUSH);
    struct fuse_flush_in flush = { .fh = 77, .lock_owner = 5 };
    put(&flush, sizeof flush); request("flush");
    begin(FUSE_FSYNC);
    struct fuse_fsync_in fsync = { .fh = 77, .fsync_flags = 1 };
    put(&fsync, sizeof fsync); request("fsync");
    begin(FUSE_SETXATTR);
    struct fuse_setxattr_in setxattr = { .size = 5, .flags = 1 };
    put(&setxattr, FUSE_COMPAT_SETXATTR_IN_SIZE); text("user.a"); put("value", 5); request("setxattr");
    begin(FUSE_GETXATTR);
    struct fuse_getxattr_in getxattr = { .size = 64 };
    put(&getxattr, sizeof getxattr); text("user.a"); request("getxattr");
    begin(FUSE_READDIRPLUS);
    struct fuse_read_in listing = { .fh = 77, .offset = 12, .size = 4096 };
    put(&listing, sizeof listing); request("readdirplus");
    begin(FUSE_FALLOCATE);
    struct fuse_fallocate_in fallocate = { .fh = 77, .offset = 4096, .length = 8192, .mode = 3 };
    put(&fallocate, sizeof fallocate); request("fallocate");
    begin(FUSE_LSEEK);
    struct fuse_lseek_in lseek = { .fh = 77, .offset = 4096, .whence = 3 };
    put(&lseek, sizeof lseek); request("lseek");

    reply(-2); ((struct fuse_out_header *)room)->len = used; print("answer error");
    reply(0);
    struct fuse_entry_out found = entry();
    put(&found, sizeof found); ((struct fuse_out_header *)room)->len = used; print("answer entry");
    reply(0);
    struct fuse_attr_out attr = { .attr_valid = 2, .attr_valid_nsec = 250000000, .attr = attributes };
    put(&attr, sizeof attr); ((struct fuse_out_header *)room)->len = used; print("answer attributes");
    reply(0);
    struct fuse_open_out opened = { .fh = 77, .open_flags = FOPEN_KEEP_CACHE };
    put(&opened, sizeof opened); ((struct fuse_out_header *)room)->len = used; print("answer opened");
    reply(0);
    put(&found, sizeof found); put(&opened, sizeof opened);
    ((struct fuse_out_header *)room)->len = used; print("answer created");
    reply(0);
    struct fuse_write_out written = { .size = 5 };
    put(&written, sizeof written); ((struct fuse_out_header *)room)->len = used; print("answer written");
    reply(0);
    struct fuse_statfs_out statfs = { .st = { .blocks = 1000, .bfree = 900, .bavail = 900, .files = 50, .ffree = 40,
        .bsize = 4096, .namelen = 255, .frsize = 4096 } };
    put(&statfs, sizeof statfs); ((struct fuse_out_header *)room)->len = used; print("answer usage");
    reply(0);
    struct { struct fuse_dirent head; char name[8]; } dirent = { .head = { .ino = 9, .off = 1, .namelen = 3, .type = 8 },
        .name = "abc" };
    put(&dirent, FUSE_DIRENT_SIZE(&dirent.head)); ((struct fuse_out_header *)room)->len = used; print("answer names");
    reply(0);
    put(&found, sizeof found); put(&dirent, FUSE_DIRENT_SIZE(&dirent.head));
    ((struct fuse_out_header *)room)->len = used; print("answer names plus");
    reply(0);
    struct fuse_init_out agreed = { .major = 7, .minor = 38, .max_readahead = 131072, .flags = 0x40000001,
        .max_background = 64, .congestion_threshold = 48, .max_write = 1048576, .time_gran = 1, .max_pages = 256,
        .flags2 = 0x20 };
    put(&agreed, sizeof agreed); ((struct fuse_out_header *)room)->len = used; print("answer init");
    struct fuse_out_header notice = { .error = FUSE_NOTIFY_INVAL_INODE };
    struct fuse_notify_inval_inode_out node = { .ino = 0x123456789abc, .off = -1, .len = 0 };
    used = 0; put(&notice, sizeof notice); put(&node, sizeof node);
    ((struct fuse_out_header *)room)->len = used; print("notice node");
    notice.error = FUSE_NOTIFY_INVAL_ENTRY;
    struct fuse_notify_inval_entry_out name = { .parent = 99, .namelen = 4 };
    used = 0; put(&notice, sizeof notice); put(&name, sizeof name); text("name");
    ((struct fuse_out_header *)room)->len = used; print("notice name");
    printf("\n}\n");
    return 0;
}
