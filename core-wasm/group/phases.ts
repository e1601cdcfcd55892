// The phases of a recovery, and what a member has said in it: recovery.ts tells the story.
//
// - Plain numbers: nothing here decides.

// Phases of a coordinator, then of a cohort
export const VOTING: u32 = 1;
export const FETCHING: u32 = 2;
export const UPDATING: u32 = 3;
export const RESULT: u32 = 4;
export const FOLLOWING: u32 = 5;
export const READY: u32 = 6; // has the result, waits for the coordinator to open

// What a member has said
export const NOT_VOTED: u32 = 0;
export const VOTED: u32 = 1;
export const ACKNOWLEDGED: u32 = 2;
export const EXCLUDED: u32 = 3; // what is final for it is not what the others have

// In place of the seqno of a VOTE
export const STOP: u32 = 0xffffffff; // -1
export const REFUSED: u32 = 0xfffffffe; // -2
export const AGAIN: u32 = 0xfffffffd; // -3, of ours: not for this ballot, perhaps for the one that is told
