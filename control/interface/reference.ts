// The reference of servers, from their tables: a page of Markdown for each. What the help of a
// command says of an operation comes from the same sentences.

import { commonErrors, type Field, type Fields, type Operation } from "./operation.js";
import { allOperations, type ServerTable } from "./table.js";

const places = {
  buffer: "data",
  offset: "h_offset",
  size: "h_size",
  extra: "h_extra",
  private: "h_priv",
} as const;

/** Whether a caller may leave a field out. */
export const mayBeLeftOut = (field: Field<unknown>): boolean =>
  field.otherwise !== undefined || field.type?.optional === true;

/** What an operation takes to be allowed, as a sentence without its full stop. */
export function rightsText({ rights }: Operation): string {
  if (rights === "anyone") return "anyone may ask, a port is enough";
  return rights.length === 0
    ? "any capability of the object will do"
    : `takes the right to ${rights.join(" and ")}`;
}

/** Words as a sentence: a capital in front, a full stop behind. */
export const sentence = (words: string): string => `${words.slice(0, 1).toUpperCase()}${words.slice(1)}.`;

function fieldsText(title: string, fields: Fields): string[] {
  const rows = Object.entries(fields).map(([name, field]) => {
    const otherwise = field.otherwise === undefined ? "" : `; ${String(field.otherwise)} when left out`;
    return `| ${name} | ${places[field.place]} | ${field.typeName} | ${field.summary}${otherwise} |`;
  });
  if (rows.length === 0) return [];
  return ["", `| ${title} | in | type | |`, "|---|---|---|---|", ...rows];
}

function operationText(name: string, operation: Operation): string[] {
  const { number, summary, errors } = operation;
  const own = Object.entries(errors).map(([status, why]) => `- \`${status}\`: ${why}`);
  return [
    `### ${name} (${number})`,
    "",
    `${sentence(summary)} ${sentence(rightsText(operation))}`,
    ...fieldsText("argument", operation.arguments),
    ...fieldsText("reply", operation.reply),
    ...(own.length > 0 ? ["", ...own] : []),
    "",
  ];
}

/** The page of one server. */
export function serverReference(table: ServerTable): string {
  const rights = Object.entries(table.rights).map(
    ([name, bit]) => `${name} 0x${bit.toString(16).padStart(2, "0")}`,
  );
  return [
    `## ${table.name}`,
    "",
    `${table.summary}. Rights: ${rights.join(", ")}.`,
    "",
    ...[...allOperations(table)].flatMap(([name, operation]) => operationText(name, operation)),
  ].join("\n");
}

/** All pages behind each other. */
export function referencePage(tables: readonly ServerTable[]): string {
  const common = Object.entries(commonErrors).map(([status, why]) => `- \`${status}\`: ${why}`);
  return [
    "# Servers",
    "",
    "Made from the tables in `control/interface`. Every operation may also answer:",
    "",
    ...common,
    "",
    ...tables.map(serverReference),
  ].join("\n");
}
