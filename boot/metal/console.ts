// The console: what the machine says on its serial port, and a small monitor that answers there.
//
// - A line of one word is a command (send has more); `help` says which there are. Nothing is echoed before the line
//   is complete, so a program can talk to it as well as a person.
// - console=off on the command line: it says nothing and takes no commands.

import { uartGet, uartOpen, uartPut } from "../../drivers/uart/uart";
import { fence } from "../../drivers/virtio/machine";
import { value } from "./command-line";
import { checked, diskCheck, putCheck, putDisk } from "./disk";
import { putGroups } from "./group";
import { putMessages } from "./group-describe";
import { lineSaid, lineSeqno, outLine } from "./group-out";
import { groupWanted } from "./group-port";
import { now, reset } from "./host";
import { take } from "./memory";
import { putStatus } from "./status";
import { putTable } from "./tables";
import { put, putByte, putNumber, startsWith, textBegin, textLength } from "./text";

const LINE: u32 = 104;
const SEND: u32 = 5; // the word and a blank
const PAGE: u32 = 16384;
/** Past the end of any linear memory. */
const OUTSIDE: usize = 0xfffffff0;

let open: bool = false;
const line = memory.data(104, 8);
let length: u32 = 0;
let page: usize = 0;

/** Opens the port, as the command line wants it. */
export function consoleOpen(): void {
  const wanted = value("console=");
  open = uartOpen() && !(wanted != 0 && startsWith(wanted, 3, "off"));
}

/** Room for the monitor's answers; without it there is no monitor. */
export function monitorOpen(): void {
  page = take(PAGE as usize);
}

/** A line of bytes. */
export function say(from: usize, bytes: u32): void {
  if (!open) return;
  for (let i: u32 = 0; i < bytes; i++) {
    const byte = load<u8>(from + (i as usize)) as u32;
    if (byte == 0x0a) uartPut(0x0d);
    uartPut(byte);
  }
  uartPut(0x0d);
  uartPut(0x0a);
}

/** A line of text. */
export function sayText(text: string): void {
  const words = memory.data(128, 8);
  textBegin(words, 128);
  put(text);
  say(words, textLength());
}

function is(word: string): bool {
  return length == (word.length as u32) && startsWith(line, length, word);
}

/** Turns no more: what the watchdog is for. */
function hang(): void {
  for (let forever = true; forever; ) fence();
}

function obey(): void {
  if (length == 0) return;
  if (is("reboot")) {
    sayText("booting again");
    reset();
    return;
  }
  textBegin(page, PAGE);
  if (is("status")) putStatus(now());
  else if (is("routes")) putTable(0x72);
  else if (is("neighbours")) putTable(0x6e);
  else if (is("ports")) putTable(0x70);
  else if (is("threads")) putTable(0x74);
  else if (is("interfaces")) putTable(0x69);
  else if (is("counters")) putTable(0x63);
  else if (is("groups")) putGroups();
  else if (is("messages") && groupWanted()) putMessages();
  else if (startsWith(line, length, "send ")) {
    const taken = groupWanted() && outLine(line + (SEND as usize), length - SEND);
    put(taken ? "sending" : "not sent: no group, no text, or the last line is on its way");
  } else if (is("disk")) putDisk();
  else if (is("disk-check")) put(diskCheck(now()) ? "disk-check: begun" : "disk-check: not now, or no disk");
  else if (is("trap")) unreachable();
  else if (is("hang")) hang();
  else if (is("outside")) putNumber(load<u32>(OUTSIDE) as u64);
  else {
    put("status, interfaces, neighbours, routes, ports, threads, counters, disk, disk-check, reboot, ");
    put("groups, messages, send TEXT; ");
    put("trap, outside, hang: panic");
  }
  putByte(0x0a);
  say(page, textLength());
}

/** Takes what was typed, and says what was waited for. */
export function monitorTurn(): void {
  if (!open || page == 0) return;
  if (lineSeqno > 0) {
    textBegin(page, PAGE);
    put("sent as message ");
    putNumber(lineSeqno as u64);
    say(page, textLength());
    lineSaid();
  }
  if (checked) {
    textBegin(page, PAGE);
    putCheck();
    say(page, textLength());
  }
  for (let byte = uartGet(); byte >= 0; byte = uartGet()) {
    if (byte == 0x0d || byte == 0x0a) {
      obey();
      length = 0;
    } else if (length < LINE) {
      store<u8>(line + (length as usize), byte as u8);
      length++;
    }
  }
}
