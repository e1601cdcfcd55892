// as-pect's compiler transform, made to follow the installed AssemblyScript compiler.
//
// - as-pect 8.1 has the syntax-tree node numbers of compiler 0.27 built in. Compiler
//   0.28.17 added a node, which moved the numbers behind it, and as-pect stopped
//   giving classes the members that it compares and prints them with.
// - Here the numbers are read from the compiler that runs. as-pect's two member
//   makers get a view of each class whose members carry the numbers they expect.
// - Interfaces get no members: they have no fields to compare.

import { createAddReflectedValueKeyValuePairsMember } from "@as-pect/transform/lib/createAddReflectedValueKeyValuePairsMember.js";
import { createStrictEqualsMember } from "@as-pect/transform/lib/createStrictEqualsMember.js";
import { NodeKind } from "assemblyscript/dist/assemblyscript.js";
import { Transform } from "assemblyscript/dist/transform.js";

/** What as-pect 8.1 takes for a field and for a method. */
const expected = new Map([
  [NodeKind.FieldDeclaration, 54],
  [NodeKind.MethodDeclaration, 58],
]);

/** The same node, with another `kind`. */
function withKind(node, kind) {
  return new Proxy(node, {
    get: (target, property) => {
      const value = property === "kind" ? kind : Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** A class as as-pect expects to see it. */
function asAspectSeesIt(declaration) {
  const members = declaration.members.map((member) => withKind(member, expected.get(member.kind) ?? -1));
  return new Proxy(declaration, {
    get: (target, property) => {
      const value = property === "members" ? members : Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function addMembers(statements) {
  for (const statement of statements) {
    if (statement.kind === NodeKind.ClassDeclaration) {
      const seen = asAspectSeesIt(statement);
      const added = [createStrictEqualsMember(seen), createAddReflectedValueKeyValuePairsMember(seen)];
      statement.members.push(...added);
    } else if (statement.kind === NodeKind.NamespaceDeclaration) {
      addMembers(statement.members);
    }
  }
}

export default class AspectTransform extends Transform {
  afterParse(parser) {
    for (const source of parser.sources) addMembers(source.statements);
  }
}
