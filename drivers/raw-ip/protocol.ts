// The number of the IP protocol that FLIP uses, unless both ends are told another one.
//
// - 253 and 254 are for experiments (RFC 3692): nobody else's packets have them.
// - Apart from the driver, so that a name can be read without loading it.

export const protocolDefault = 253;
