// The environment variables that the commands read, for the manual. A test looks for others in
// the sources. Those of a node's settings come from their table.

import { settings } from "../../node/config/settings.js";

export interface Variable {
  readonly name: string;
  readonly meaning: string;
}

export const variables: readonly Variable[] = [
  ...Object.values(settings).map(({ environment, about }) => ({ name: environment, meaning: `${about}.` })),
  {
    name: "PROTEUS_CONTROL",
    meaning:
      "The control daemons that commands ask, tried in order: sockets and https addresses, with commas.",
  },
  {
    name: "PROTEUS_CONTROL_CA",
    meaning: "PEM file with whose certificates of control daemons are believed, as --control-ca.",
  },
  {
    name: "PROTEUS_BOOT_KERNEL",
    meaning:
      "Where boot and lib/modules of Debian's kernel are, for the image of Linux machines, as --kernel.",
  },
  { name: "XDG_STATE_HOME", meaning: "Without root the control daemon's store is in its folder proteus." },
  { name: "PROTEUS_CONFIG", meaning: "The config file, instead of those below." },
  {
    name: "PROTEUS_ROOT",
    meaning: "Where paths of files begin, as --root: a capability, several of one set with commas.",
  },
  { name: "PROTEUS_BULLET", meaning: "The Bullet servers for new files, as --server." },
  { name: "PROTEUS_LAB", meaning: "The lab of a command that names none with --lab." },
  {
    name: "PROTEUS_CONSOLE_SOCKET",
    meaning: "Where others find the console of the metal machine that `boot run` starts; set by the lab.",
  },
  { name: "PROTEUS_SSH", meaning: "The ssh command with its options, instead of ssh -o BatchMode=yes." },
  {
    name: "PROTEUS_REMOTE",
    meaning: "Proteus on machines behind ssh, instead of /opt/proteus/bin/proteus.",
  },
  { name: "PROTEUS_LAB_STATE", meaning: "The folder of all labs, instead of the one below." },
  {
    name: "PROTEUS_HUB_NAME",
    meaning: "The socket that stands for interface NAME in a lab in memory; set by the lab.",
  },
  {
    name: "PROTEUS_WIRE_NAME",
    meaning: "The serial line or the peers over IP that interface NAME stands for; set by the lab.",
  },
  { name: "PROTEUS_LAB_ID", meaning: "The tag of a lab's processes; set by the lab." },
  {
    name: "PROTEUS_LAB_KEEPER",
    meaning: "The tag of the process that keeps a lab's namespaces; set by the lab.",
  },
  {
    name: "XDG_RUNTIME_DIR",
    meaning: "Without root the labs are in its folder proteus; as root in /run/proteus.",
  },
  {
    name: "XDG_CONFIG_HOME",
    meaning: "The folder of a user's own config file, and of the private proteus/root and proteus/cells.",
  },
  { name: "XDG_CONFIG_DIRS", meaning: "The folders of the system's config files." },
  { name: "NO_COLOR", meaning: "A node's log and `proteus status` have no colours." },
  { name: "FORCE_COLOR", meaning: "They have colours where there is no terminal; NO_COLOR is stronger." },
];
