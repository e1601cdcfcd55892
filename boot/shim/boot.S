/* The way from power-on to shim.c: 32-bit entry points, long mode, page tables, interrupt stubs.
 *
 * - Two entries: multiboot 1 (eax is its magic, ebx its information) and PVH (ebx: hvm_start_info).
 *   Either way the processor is in flat 32-bit mode without paging. firmware_entry, the last word of
 *   the header, is for efi.c: from long mode (rdi is multiboot information) it goes back there.
 * - Page tables: the first 4 GiB as they are, in 2 MiB pages; the linear memory of the WebAssembly
 *   modules at 512 GiB (shim.c fills its directory; the 8 GiB behind it stay unmapped, so that no
 *   32-bit address and offset leaves it unseen); the stack at 1 TiB, with nothing below it.
 * - Interrupts are open once machine_watchdog was called. Their handlers change no register that they
 *   do not restore; a device's says that it came, so that nobody goes to sleep over it.
 *   An exception goes to shim_fault on a stack of its own and never returns.
 * - Source: Multiboot Specification 0.6.96; the PVH boot of Xen (xen/docs/misc/pvh.pandoc); Intel
 *   SDM volume 3, chapters 4 and 6.
 */

#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_FLAGS 0x00010003 /* modules on pages, memory map, addresses below */
#define STACK_TOP 0x10000020000

        .section .multiboot, "a"
        .balign 4
header: .long   MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
        .long   header, image_start, image_end, bss_end, multiboot_entry
        .long   firmware_entry

        .section .note.pvh, "a", @note
        .balign 4
        .long   4, 8, 18
        .asciz  "Xen"
        .quad   pvh_entry

        .text
        .code32
        .globl  pvh_entry
pvh_entry:
        xorl    %eax, %eax
multiboot_entry:
        cli
        cld
        movl    %eax, %edi
        movl    %ebx, %esi

        /* The first 4 GiB: 2048 pages of 2 MiB. */
        movl    $low_directories, %ebx
        movl    $0x83, %eax
        xorl    %ecx, %ecx
1:      movl    %eax, (%ebx, %ecx, 8)
        addl    $0x200000, %eax
        incl    %ecx
        cmpl    $2048, %ecx
        jne     1b
        movl    $low_directories + 3, %eax
        xorl    %ecx, %ecx
1:      movl    %eax, low_pointers(, %ecx, 8)
        addl    $4096, %eax
        incl    %ecx
        cmpl    $4, %ecx
        jne     1b

        /* The stack: 31 pages below STACK_TOP, none below them. */
        movl    $stack + 3, %eax
        movl    $1, %ecx
1:      movl    %eax, stack_table(, %ecx, 8)
        addl    $4096, %eax
        incl    %ecx
        cmpl    $32, %ecx
        jne     1b
        movl    $stack_table + 3, stack_directory
        movl    $stack_directory + 3, stack_pointers
        movl    $linear_directory + 3, linear_pointers
        movl    $low_pointers + 3, top_table
        movl    $linear_pointers + 3, top_table + 8
        movl    $stack_pointers + 3, top_table + 16

        movl    %cr4, %eax
        orl     $0x620, %eax            /* physical address extension, SSE */
        movl    %eax, %cr4
        movl    $top_table, %eax
        movl    %eax, %cr3
        movl    $0xc0000080, %ecx       /* EFER: long mode */
        rdmsr
        orl     $0x100, %eax
        wrmsr
        movl    %cr0, %eax
        andl    $0xfffffff3, %eax       /* no emulation of the FPU, nobody else's task */
        orl     $0x80010003, %eax       /* paging, write protection, FPU errors, protected */
        movl    %eax, %cr0
        lgdt    descriptor_table
        ljmp    $8, $long_mode

        .code64
long_mode:
        movl    $16, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        xorl    %eax, %eax
        movl    %eax, %fs
        movl    %eax, %gs
        movabsq $STACK_TOP, %rsp
        xorl    %ebp, %ebp
        call    shim_main
        ud2

/* Out of long mode, as if a multiboot loader had been here. */
firmware_entry:
        cli
        movl    %edi, %ebx
        lgdt    descriptor_table
        pushq   $40
        pushq   $1f
        lretq
        .code32
1:      movl    $16, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    %cr0, %eax
        andl    $0x7fffffff, %eax       /* no paging */
        movl    %eax, %cr0
        xorl    %eax, %eax
        movl    %eax, %cr4
        movl    $0xc0000080, %ecx
        rdmsr
        andl    $0xfffffeff, %eax       /* no long mode */
        wrmsr
        movl    $0x2badb002, %eax
        jmp     multiboot_entry
        .code64

/* void shim_wait(void): sleeps until an interrupt, which is all that it takes notice of. Called with
 * interrupts closed, and leaves them so. */
        .globl  shim_wait
shim_wait:
        movb    $1, asleep
        sti
        hlt
        cli
        movb    $0, asleep
        ret

/* One stub for each vector: an error code (0 where the processor pushes none) and its number. */
        .balign 16
        .globl  interrupt_stubs
interrupt_stubs:
        vector = 0
        .rept   32
        .balign 16
        .if     (vector != 8) && ((vector < 10) || (vector > 14)) && (vector != 17) && (vector != 21)
        pushq   $0
        .endif
        pushq   $vector
        jmp     exception
        vector = vector + 1
        .endr
exception:
        movq    (%rsp), %rdi            /* vector */
        movq    8(%rsp), %rsi           /* error code */
        movq    16(%rsp), %rdx          /* where */
        movq    40(%rsp), %rcx          /* its stack */
        movq    %rbp, %r8
        movq    %cr2, %r9
        andq    $-16, %rsp
        call    shim_fault
        ud2

        .balign 16
        .globl  interrupt_device
interrupt_device:
        pushq   %rax
        movl    $0xfee000b0, %eax       /* end of interrupt */
        movl    $0, (%rax)
        movb    $1, interrupted
        popq    %rax
        iretq

/* The timer: wakes who sleeps; else a second of a turn is over, and at the limit it is a fault. */
        .balign 16
        .globl  interrupt_timer
interrupt_timer:
        pushq   %rax
        movl    $0xfee000b0, %eax
        movl    $0, (%rax)
        cmpb    $0, asleep
        jne     1f
        movl    watchdog_second, %eax
        testl   %eax, %eax
        jz      1f
        pushq   %rdx
        movl    $0xfee00380, %edx
        movl    %eax, (%rdx)
        popq    %rdx
        incl    turn_seconds
        movl    turn_seconds, %eax
        cmpl    watchdog_limit, %eax
        jb      1f
        popq    %rax
        pushq   $0
        pushq   $0x31
        jmp     exception
1:      popq    %rax
        iretq
        .globl  interrupt_spurious
interrupt_spurious:
        iretq

        .data
        .balign 16
        .globl  task_descriptor
segments:
        .quad   0
        .quad   0x00af9a000000ffff      /* 64-bit code */
        .quad   0x00cf92000000ffff      /* data */
task_descriptor:
        .quad   0, 0                    /* shim.c */
        .quad   0x00cf9a000000ffff      /* 32-bit code */
descriptor_table:
        .word   descriptor_table - segments - 1
        .quad   segments

        .bss
        .globl  interrupted, asleep, turn_seconds, watchdog_second, watchdog_limit
        .balign 4
turn_seconds:   .skip   4               /* of this turn, that are over */
watchdog_limit: .skip   4
watchdog_second: .skip  4               /* in ticks of the timer; 0: nobody watches */
interrupted:    .skip   1               /* a device's interrupt came since the last turn began */
asleep:         .skip   1
        .balign 4096
low_directories: .skip 4 * 4096
top_table:      .skip   4096
        .globl  low_pointers
low_pointers:   .skip   4096
linear_pointers: .skip  4096
        .globl  linear_directory
linear_directory: .skip 4096
stack_pointers: .skip   4096
stack_directory: .skip  4096
stack_table:    .skip   4096
stack:          .skip   31 * 4096

        .section .note.GNU-stack, "", @progbits
