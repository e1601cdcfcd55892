// What can go wrong with an interface, as errors that say what to do.
//
// - `code` is stable and for programs; `hint` is one line for people.
// - Only opening and configuring throw. A frame that the wire refuses is counted.

import { getSystemErrorName } from "node:util";

export type EthernetErrorCode =
  | "ETHERNET_NO_INTERFACE"
  | "ETHERNET_NO_PERMISSION"
  | "ETHERNET_INTERFACE_DOWN"
  | "ETHERNET_NOT_ETHERNET"
  | "ETHERNET_UNAVAILABLE"
  | "ETHERNET_SYSTEM";

/** An interface could not be opened or configured. */
export class EthernetError extends Error {
  override readonly name = "EthernetError";

  constructor(
    readonly code: EthernetErrorCode,
    message: string,
    readonly hint: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A failed system call, in the shape in which the addon throws it: `code` is errno in decimal. */
export class SystemCallError extends Error {
  override readonly name = "SystemCallError";
  readonly code: string;

  constructor(call: string, errno: number) {
    super(`${call}: ${errnoName(errno)}`);
    this.code = String(errno);
  }
}

function errnoName(errno: number): string {
  return errno > 0 ? getSystemErrorName(-errno) : `errno ${errno}`;
}

/** errno of a failed system call, or 0 for any other error. */
export function errnoOf(error: unknown): number {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return 0;
  return /^\d+$/.test(error.code) ? Number(error.code) : 0;
}

/** The error for people behind a failed system call on `interfaceName`. */
export function explain(error: unknown, interfaceName: string): Error {
  if (error instanceof EthernetError) return error;
  const errno = errnoOf(error);
  const reason = error instanceof Error ? error.message : String(error);
  if (errno === 0) return error instanceof Error ? error : new Error(reason);
  switch (errnoName(errno)) {
    case "ENODEV":
    case "ENXIO":
      return new EthernetError(
        "ETHERNET_NO_INTERFACE",
        `no network interface ${interfaceName}`,
        "`ip -brief link` lists the interfaces of this machine",
        { cause: error },
      );
    case "EPERM":
    case "EACCES":
      return new EthernetError(
        "ETHERNET_NO_PERMISSION",
        `no permission to open raw sockets on ${interfaceName}`,
        "run it with sudo, or grant the right once: sudo setcap cap_net_raw+ep $(readlink -f $(which node))",
        { cause: error },
      );
    case "ENETDOWN":
      return interfaceDown(interfaceName, error);
    default:
      return new EthernetError(
        "ETHERNET_SYSTEM",
        `${interfaceName}: ${reason}`,
        "the system refused; `dmesg | tail` may say why",
        { cause: error },
      );
  }
}

export function interfaceDown(interfaceName: string, cause?: unknown): EthernetError {
  return new EthernetError(
    "ETHERNET_INTERFACE_DOWN",
    `network interface ${interfaceName} is down`,
    `bring it up: sudo ip link set ${interfaceName} up`,
    { cause },
  );
}

export function notEthernet(interfaceName: string): EthernetError {
  return new EthernetError(
    "ETHERNET_NOT_ETHERNET",
    `network interface ${interfaceName} does not carry Ethernet frames`,
    "loopback and tunnel interfaces cannot be used; take a network card, a veth, a bridge or a tap",
  );
}
