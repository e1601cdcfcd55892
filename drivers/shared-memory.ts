// What a server needs to let other processes of its machine map pages of the kernel's memory.
//
// - Exactly the pages that are named are shared, never what lies beside them.
// - The real one is shared-memory/pages.ts; tests have their own. Where there is none, nothing
//   is shared.

/** Pages that others can map. */
export interface SharedPages {
  /** The file that others open. */
  readonly path: string;
  /** Part of that file's name, different for each. */
  readonly tag: string;
  /** Of the running system: /proc/sys/kernel/random/boot_id. */
  readonly boot: string;
  /**
   * Puts private zero pages in their place: who still has the others mapped keeps them, and sees
   * nothing of what comes here later. False when the system refuses: they are shared still.
   */
  withdraw(): boolean;
}

export interface SharedMemory {
  readonly pageBytes: number;
  /**
   * Shares a range on whole pages, which are zeros afterwards. `sealed`: others can only read.
   * Undefined when the system has no memory or descriptor for it; then they are zeros, and private.
   */
  share(range: Uint8Array, sealed: boolean): SharedPages | undefined;
}
