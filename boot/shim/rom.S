/* The last page of a ROM that is all the firmware a microvm of QEMU's has: from the reset vector in
 * real mode to the image in flat 32-bit mode.
 *
 * - IMAGE_AT is where the flat image is in the ROM: its first bytes are the header in boot.S. It is
 *   copied to its place, what follows it is cleared, and it is started as by a multiboot loader
 *   that has a command line and no memory map: machine.c asks QEMU for that.
 * - The place of the command line is in boot/formats.ts, which fills it: the beginning of the page.
 * - Source: Intel SDM volume 3, 10.1 (the first instruction); Multiboot Specification 0.6.96.
 */
        .text
        .globl  rom
rom:
line:   .skip   896
information:
        .long   4, 0, 0, 0, line        /* a command line is all that it has */
        .balign 8
segments:
        .quad   0
        .quad   0x00cf9b000000ffff      /* 32-bit code, marked as used: this is read-only memory */
        .quad   0x00cf93000000ffff      /* data */
table:  .word   table - segments - 1
        .long   segments

        .code32
flat:   movl    $16, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        cld
        movl    $IMAGE_AT, %esi
        movl    %esi, %ebp
        movl    16(%ebp), %edi          /* where it begins */
        movl    20(%ebp), %ecx          /* where its bytes end */
        subl    %edi, %ecx
        addl    $3, %ecx
        shrl    $2, %ecx
        rep movsl
        movl    24(%ebp), %ecx          /* where it ends */
        subl    %edi, %ecx
        xorl    %eax, %eax
        rep stosb
        movl    $0x2badb002, %eax
        movl    $information, %ebx
        jmp     *28(%ebp)

        .code16
real:   cli
        lgdtl   %cs:(0xf000 + table - rom)
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $8, $flat

        .org    0xff0
reset:  jmp     real
        .org    0x1000
        .section .note.GNU-stack, "", @progbits
