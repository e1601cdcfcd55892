// The systemd units of a pool machine and of a control daemon: `proteus node start` and
// `proteus control start` as services that may open raw sockets and take a higher priority, and
// nothing else.
//
// - The node runs as a user that exists only while it runs. The control daemon runs as root
//   without root's rights: its socket and store, its token and key are root's files, and what
//   it may do to the machine is what the node may.
// - What they may not do is most of the file; code is made at run time (JavaScript,
//   WebAssembly), so memory that is written to may be executed.
// - No PrivateNetwork and no PrivateUsers: packet sockets need the machine's own.

/** What the unit starts. */
export interface UnitFacts {
  /** The Node program, absolute. */
  readonly node: string;
  /** The main file of Proteus, absolute. */
  readonly main: string;
}

/** Where the service writes its ports: the folder is made by systemd. */
export const unitReadyFile = "/run/proteus-node/ready.json";

/** Where its servers keep their secrets: made by systemd, for the service's user alone. */
export const unitState = "/var/lib/proteus-node";

/** Paths with blanks, quotes, backslashes and percent signs as systemd reads them. */
function quoted(path: string): string {
  const escaped = path.replace(/%/g, "%%").replace(/[\\"]/g, "\\$&").replace(/\$/g, "$$$$");
  return /^[\w./%$@+:=-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}

/** Homes are closed, unless the program lies in one. */
const homeOf = ({ node, main }: UnitFacts): string =>
  [node, main].some((path) => /^\/(home|root|run\/user)\//.test(path)) ? "read-only" : "yes";

const closed = (home: string): string => `# Everything else is closed.
ProtectSystem=strict
ProtectHome=${home}
ProtectProc=invisible
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
PrivateTmp=yes
PrivateDevices=yes
RestrictNamespaces=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service @pkey
SystemCallFilter=~@mount @swap @reboot @module @raw-io @debug @cpu-emulation @obsolete
UMask=0022
LimitNOFILE=4096`;

/** The text of proteus-node.service. */
export function unitText(facts: UnitFacts): string {
  const { node, main } = facts;
  const home = homeOf(facts);
  return `# proteus-node.service: this machine as a machine of the pool.
# Settings: /etc/proteus/config.toml; see \`proteus config show --origin\`.

[Unit]
Description=Proteus pool machine
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=${quoted(node)} ${quoted(main)} node start
Environment=NODE_ENV=production
Environment=PROTEUS_READY_FILE=${unitReadyFile}
Environment=PROTEUS_STATE=${unitState}
Restart=on-failure
RestartSec=2
TimeoutStopSec=10
KillSignal=SIGTERM

# A user of its own; two rights: raw sockets, and a higher priority.
DynamicUser=yes
RuntimeDirectory=proteus-node
RuntimeDirectoryMode=0755
StateDirectory=proteus-node
StateDirectoryMode=0700
AmbientCapabilities=CAP_NET_RAW CAP_SYS_NICE
CapabilityBoundingSet=CAP_NET_RAW CAP_SYS_NICE
NoNewPrivileges=yes
RestrictAddressFamilies=AF_PACKET AF_UNIX AF_INET AF_INET6 AF_NETLINK

${closed(home)}

[Install]
WantedBy=multi-user.target
`;
}

/** The text of proteus-control.service. */
export function controlUnitText(facts: UnitFacts): string {
  const { node, main } = facts;
  return `# proteus-control.service: a control daemon of the pool.
# Settings: /etc/proteus/config.toml; see \`proteus config show --origin\`.

[Unit]
Description=Proteus control daemon
Wants=network-online.target
After=network-online.target proteus-node.service
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=${quoted(node)} ${quoted(main)} control start
Environment=NODE_ENV=production
Restart=on-failure
RestartSec=2
TimeoutStopSec=20
KillSignal=SIGTERM

# Root, for its files, with two rights: raw sockets, and a higher priority. Labs share the
# folder of the socket, so it stays.
RuntimeDirectory=proteus
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
StateDirectory=proteus/control
StateDirectoryMode=0700
CapabilityBoundingSet=CAP_NET_RAW CAP_SYS_NICE
NoNewPrivileges=yes
RestrictAddressFamilies=AF_PACKET AF_UNIX AF_INET AF_INET6 AF_NETLINK

${closed(homeOf(facts)).replace("UMask=0022", "UMask=0077")}

[Install]
WantedBy=multi-user.target
`;
}
