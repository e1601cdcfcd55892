// What a benchmark of groups is asked for and what it answers; the shapes of
// `proteus bench group --json`. As ../types.ts, with members, bytes, resilience and senders.
//
// - group-send: each sender has one message under way; its time, and messages a second.
// - group-flow: each sender has several under way; messages a second that every member got.
// - group-recovery: the sequencer's machine loses its power; the longest time in which no
//   message of a survivor got through. One time a run; p50 and p99 are those of the runs.

import type { Environment, Ratio, Run } from "../types.js";

export const groupTests = ["group-send", "group-flow", "group-recovery"] as const;
export type GroupTest = (typeof groupTests)[number];

/**
 * group: ours. rpc: one call of ours to the sequencer's machine. rpc-all: a call to each of
 * the other members, one after the other. corosync: its closed process groups over UDP
 * multicast; corosync-knet: over its standard transport.
 */
export const groupSystems = ["group", "rpc", "rpc-all", "corosync", "corosync-knet"] as const;
export type GroupSystem = (typeof groupSystems)[number];

export const senderChoices = ["one", "all"] as const;
export type Senders = (typeof senderChoices)[number];

export const standardMembers: readonly number[] = [2, 3, 5, 9];
export const standardSizes: readonly number[] = [0, 64, 1024, 8192, 102_400];
export const standardResilience: readonly number[] = [0, 1, 2];
export const standardGroupRuns = 3;
export const standardKills = 10;
export const membersMost = 15;
export const resilienceMost = 31;
/** Data of one message at most: Corosync's own limit is 1 MiB. */
export const bytesMost = 100 * 1024;
/** Messages of one sender that are under way in group-flow. */
export const flowOutstanding = 16;
/** The same where nothing but the sum counts: more than that helps nobody here. */
export const streamOutstanding = 256;

export interface GroupCase {
  readonly test: GroupTest;
  readonly system: GroupSystem;
  readonly members: number;
  /** Data of one message. */
  readonly bytes: number;
  /** Crashes that a delivered message survives; null where the system has no such degree. */
  readonly resilience: number | null;
  readonly senders: Senders;
  /** Messages of one sender that are under way at a time. */
  readonly outstanding: number;
}

export interface GroupRun extends Run {
  /** Frames that all machines sent, for each message; null where that means nothing. */
  readonly framesPerMessage: number | null;
}

export interface GroupResult extends GroupCase, GroupRun {
  /** Members in turn on the two cores: never both ends on one. */
  readonly placement: "X";
  readonly mtu: number;
  readonly link: "bridge";
  readonly runs: number;
  readonly spread: number | null;
  /** Why there are no figures, and what to do. */
  readonly problem?: string;
}

export interface GroupEnvironment
  extends Pick<
    Environment,
    "proteus" | "node" | "kernel" | "cpu" | "cores" | "load" | "isolation" | "runs" | "mtus"
  > {
  readonly link: "bridge";
  /** The cores that the members are pinned to in turn. */
  readonly memberCores: readonly number[];
  /** Runs of group-recovery. */
  readonly kills: number;
  readonly corosync: string | null;
}

export interface GroupReport {
  readonly environment: GroupEnvironment;
  readonly results: readonly GroupResult[];
  readonly ratios: readonly Ratio[];
  /** What the figures do not say by themselves. */
  readonly remarks: readonly string[];
}
