// The package raw-socket has no types of its own; what is used of it is written in socket.ts.
//
// - It stands in the dependencies as node-raw-socket, since another package has the plain name.
declare module "node-raw-socket";
