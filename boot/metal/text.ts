// Text into a buffer: what the servers, the monitor and the log are made of.
//
// - textBegin says where and how much; what does not fit is left out. textLength says how much came.
// - Literals are ASCII: a character of one is a byte. No string is ever made.

let begin: usize = 0;
let next: usize = 0;
let end: usize = 0;

export function textBegin(to: usize, capacity: u32): void {
  begin = to;
  next = to;
  end = to + (capacity as usize);
}

export function textLength(): u32 {
  return (next - begin) as u32;
}

/** Takes the last byte back: more is to come in front of it. */
export function textBack(): void {
  if (next > begin) next--;
}

export function putByte(byte: u32): void {
  if (next >= end) return;
  store<u8>(next, byte as u8);
  next++;
}

export function put(text: string): void {
  const from = changetype<usize>(text);
  for (let i = 0; i < text.length; i++) putByte(load<u16>(from + 2 * (i as usize)) as u32);
}

export function putBytes(from: usize, length: u32): void {
  for (let i: u32 = 0; i < length; i++) putByte(load<u8>(from + (i as usize)) as u32);
}

export function putNumber(value: u64): void {
  if (value >= 10) putNumber(value / 10);
  putByte(0x30 + ((value % 10) as u32));
}

export function putSigned(value: i32): void {
  if (value < 0) putByte(0x2d);
  putNumber((value < 0 ? -(value as i64) : (value as i64)) as u64);
}

function putDigit(value: u32): void {
  putByte(value < 10 ? 0x30 + value : 0x57 + value);
}

/** Bytes as hex, the first one first. */
export function putHex(from: usize, length: u32): void {
  for (let i: u32 = 0; i < length; i++) {
    const byte = load<u8>(from + (i as usize)) as u32;
    putDigit(byte >> 4);
    putDigit(byte & 15);
  }
}

/** Text in a JSON string: what could end or bend it is left out. */
export function putQuoted(from: usize, length: u32): void {
  putByte(0x22);
  for (let i: u32 = 0; i < length; i++) {
    const byte = load<u8>(from + (i as usize)) as u32;
    if (byte >= 0x20 && byte != 0x22 && byte != 0x5c) putByte(byte);
  }
  putByte(0x22);
}

/** Do these bytes begin with this literal? */
export function startsWith(from: usize, length: u32, text: string): bool {
  if (length < (text.length as u32)) return false;
  const literal = changetype<usize>(text);
  for (let i = 0; i < text.length; i++) {
    if ((load<u8>(from + (i as usize)) as u32) != (load<u16>(literal + 2 * (i as usize)) as u32))
      return false;
  }
  return true;
}

/** Are these bytes this literal? */
export function same(from: usize, length: u32, text: string): bool {
  return length == (text.length as u32) && startsWith(from, length, text);
}

/** Where a literal first is in these bytes, the byte behind it; -1: nowhere. */
export function behind(from: usize, length: u32, text: string): i32 {
  for (let i: u32 = 0; i < length; i++) {
    if (startsWith(from + (i as usize), length - i, text)) return (i as i32) + text.length;
  }
  return -1;
}

/** The decimal number at the front of these bytes, at most nine digits of it. */
export function numberAt(from: usize, length: u32): u32 {
  let value: u32 = 0;
  for (let i: u32 = 0; i < length && i < 9; i++) {
    const digit = (load<u8>(from + (i as usize)) as u32) - 0x30;
    if (digit > 9) break;
    value = value * 10 + digit;
  }
  return value;
}
