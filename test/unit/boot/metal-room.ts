// A metal machine and a Linux machine's kernel on a LAN in memory, in virtual time.
//
// - `made` boots the machine with a model of its network device; `until` gives everybody turns.

import type { Kernel } from "../../../control/kernel/kernel.js";
import { FaultDevice, type FaultDeviceOptions } from "../../../drivers/fault/fault.js";
import { Room } from "../kernel/booted.js";
import { MetalMachine, type MetalOptions, physicalBase } from "./metal-machine.js";
import { NetDevice, type NetDeviceOptions } from "./net-device.js";

const lastPlace = 23;

export interface Made {
  readonly room: Room;
  readonly machine: MetalMachine;
  readonly client: Kernel;
}

export type DeviceFacts = Pick<NetDeviceOptions, "version"> & Partial<NetDeviceOptions>;

/** A metal machine on a LAN with a Linux machine's kernel; `faults`: what is wrong with that one's link. */
export function made(
  facts: DeviceFacts,
  options: Partial<MetalOptions> = {},
  faults?: Omit<FaultDeviceOptions, "schedule">,
): Made {
  const room = new Room();
  const client = room.kernel();
  const port = room.lan.port("lan:1");
  client.attach(
    faults === undefined ? port : new FaultDevice(port, { ...faults, schedule: room.clock.schedule }),
  );
  const machine = new MetalMachine({
    clock: () => room.clock.now,
    devices: (memory) =>
      new Map([[lastPlace, new NetDevice({ memory, physicalBase, port: room.lan.port("metal"), ...facts })]]),
    ...options,
  });
  machine.start();
  return { room, machine, client };
}

/** Turns of everybody until `done`, at most so many virtual milliseconds. */
export async function until<T>({ room, machine }: Made, done: Promise<T>, milliseconds = 5000): Promise<T> {
  let over = false;
  const settled = done.finally(() => {
    over = true;
  });
  settled.catch(() => undefined);
  for (let i = 0; i < milliseconds * 10 && !over; i++) {
    room.run(0.1);
    machine.turn();
    if (i % 8 === 0) await Promise.resolve();
  }
  if (!over) throw new Error("nobody answered in time");
  return settled;
}
