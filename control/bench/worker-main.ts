// The program of a worker on a machine that has the same files as this one: startWorker starts
// it. It takes the kernel that its orders name. `proteus bench worker` is the same for machines
// that have files of their own.

import { work } from "./work.js";

work();
