// Words and signs that are the same everywhere on the page.

import type { Answer, Grants, Target, Thing, TreeRow } from "./api.ts";

export const signs: Record<Answer, string> = { yes: "✓", no: "✗", undetermined: "?" };
export const cells: Record<string, { sign: string; word: string; short: string; kind: string }> = {
  y: { sign: "✓", word: "yes", short: "yes", kind: "yes" },
  n: { sign: "✗", word: "no", short: "no", kind: "no" },
  u: { sign: "?", word: "undetermined, so denied", short: "", kind: "unsure" },
  "-": { sign: "–", word: "cannot be asked", short: "", kind: "void" },
};

/** grantText says what a rule grants, beginning with a sign that is read without colour. */
export function grantText(grants: Grants): { sign: string; text: string; kind: "yes" | "no" | "some" } {
  if (grants === true) return { sign: "✓", text: "everything", kind: "yes" };
  if (grants.length === 0) return { sign: "✗", text: "nothing", kind: "no" };
  return { sign: "◐", text: grants.join(", "), kind: "some" };
}

/** quote shows a name from input so that no character in it is invisible. */
export function quote(name: string): string {
  const plain = JSON.stringify(name.length > 60 ? name.slice(0, 57) + "…" : name);
  return plain.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => "\\u" + c.codePointAt(0)!.toString(16).padStart(4, "0"));
}

/** plain is quote without the marks where the name is simple. */
export const plain = (name: string): string => (/^[\w.@ -]+$/.test(name) && name.length <= 60 ? name : quote(name));

function thing(kind: string, t: Thing): string {
  const parts: string[] = [];
  if (typeof t.id === "string") parts.push(`ID ${t.id}`);
  else if (t.id === null) parts.push("no ID yet");
  if (typeof t.externalId === "string") parts.push(`external ID ${plain(t.externalId)}`);
  else if (t.externalId === null) parts.push("no external ID");
  return parts.length === 0 ? `some ${kind}` : `the ${kind} with ${parts.join(" and ")}`;
}

/** short shortens the IDs in a title, and the words for an external ID. */
export const short = (title: string): string => title.replace(/\b([0-9a-f]{8})(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "$1…").replace(" with external ID ", " ext:");

/** sentence makes a sentence of a text that may not be one. */
export const sentence = (text: string): string =>
  (/^[a-z]+ /.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text) + (/[.?!]$/.test(text) ? "" : ".");

/**
 * describe says in words what a question is about. The title of a row of the matrix replaces the words for an
 * integration, and for a level that is "any other".
 */
export function describe(target: Target, title?: string): string {
  if (target.integration === undefined) return "the user";
  if (title && !target.credential) return title.startsWith("any") ? title : `the ${title}`;
  let text = `the integration ${plain(target.integration)}`;
  const last = (words: string): string => (title?.startsWith("any other") ? title : words);
  if (target.configuration) {
    text = `${thing("credential", target.credential ?? {})} of ${text}`;
    return `${last(thing("configuration", target.configuration))} of ${text}`;
  }
  return target.credential ? `${last(thing("credential", target.credential))} of ${text}` : text;
}

export const levelOf = (target: Target): TreeRow["kind"] =>
  target.configuration ? "configuration" : target.credential ? "credential" : target.integration !== undefined ? "integration" : "user";

/** covers says in words what the rule with a path is for. */
export function covers(path: string[]): string {
  const phrase = (scope: string): string => {
    const [, kind, rest] = /^(\w+):([^]*)$/.exec(scope)!;
    if (rest === "*") return `every ${kind}`;
    if (kind === "integration") return plain(rest!);
    return rest!.startsWith("ext:") ? `the ${kind} with external ID ${plain(rest!.slice(4))}` : `the ${kind} ${rest!.slice(0, 8)}…`;
  };
  const [integration, ...below] = path;
  const of = integration === "integration:*" || integration === undefined ? "" : phrase(integration);
  if (below.length === 0) return of ? `the integration ${of}` : "everything";
  // A wildcard in the middle says nothing that the rest does not say.
  const words = below.filter((scope, i) => i === below.length - 1 || !scope.endsWith(":*")).reverse().map(phrase);
  return [...words, ...(of ? [of] : [])].join(" of ");
}
