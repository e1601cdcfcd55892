/* What the UEFI application begins with: the jump to its loader, then the command line that the file
 * brings along, and behind the loader the image itself.
 *
 * - The place of the command line is in boot/formats.ts, which fills it: 32 bytes from the beginning.
 * - IMAGE is the flat image (objcopy -O binary): its first bytes are the header in boot.S.
 */
        .section .first, "ax"
        .code64
        .globl  firmware_line
        jmp     efi_main
        .balign 16
        .ascii  "proteus-command="
firmware_line:
        .skip   896

        .section .last, "a"
        .balign 4096
        .globl  firmware_image
firmware_image:
        .incbin IMAGE
        .balign 4096
        .section .note.GNU-stack, "", @progbits
