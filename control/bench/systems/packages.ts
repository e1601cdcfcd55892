// The packages that only other systems need. npm may leave them out (they are optional):
// then their rows say so and the rest is measured.

/** Loads one; throws an error that says how to install it. */
export async function load<Module>(name: string, module: () => Promise<Module>): Promise<Module> {
  try {
    return await module();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new Error(`${name} is not installed: npm install ${name}`);
  }
}
