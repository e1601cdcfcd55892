// The environment variables that the commands read, for the manual. A test looks for others in
// the sources.

export interface Variable {
  readonly name: string;
  readonly meaning: string;
}

export const variables: readonly Variable[] = [
  { name: "PROTEUS_INTERFACE", meaning: "The interface of a command that names none with --interface." },
  { name: "PROTEUS_LAB", meaning: "The lab of a command that names none with --lab." },
  { name: "PROTEUS_LAB_STATE", meaning: "The folder of all labs, instead of the one below." },
  { name: "PROTEUS_NODE", meaning: "What this machine is called; set inside a machine of a lab." },
  { name: "PROTEUS_READY_FILE", meaning: "The agent writes here, as JSON, that it serves and where." },
  {
    name: "PROTEUS_HUB_NAME",
    meaning: "The socket that stands for interface NAME in a lab in memory; set by the lab.",
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
  { name: "NO_COLOR", meaning: "Always honoured: no command colours its output." },
];
