// The schema of what can be wrong with a link, for lab files and for the command line. Apart from
// impairments.ts, because most commands of a lab check none and need not load what this needs.

import { z } from "zod";
import { delayRule, parseDelay, parseRate, parseShare, rateRule, shareRule } from "./impairments.js";

/** A value of the file or the command line: number or text, read by `read`. */
const value = <T>(read: (text: string) => T | null | undefined, rule: string, nullable = false) =>
  z.union([z.string(), z.number()], { error: rule }).transform((given, context): T => {
    const found = read(String(given));
    if (found !== undefined && (found !== null || nullable)) return found as T;
    context.addIssue({ code: "custom", message: rule });
    return z.NEVER;
  });

const share = value(parseShare, shareRule).optional();

/** What can be set of a link; what is left out stays. */
export const impairmentFields = z.strictObject(
  {
    loss: share,
    delay: value(parseDelay, delayRule).optional(),
    reorder: share,
    duplicate: share,
    corrupt: share,
    rate: value<string | null>(parseRate, rateRule, true).optional(),
    cut: z.boolean({ error: "must be true or false" }).optional(),
  },
  {
    error: (issue) =>
      issue.code === "invalid_type" ? "must be a map such as { loss: 5%, delay: 2ms }" : undefined,
  },
);
