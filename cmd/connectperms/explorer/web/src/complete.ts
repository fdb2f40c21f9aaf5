// Completion from the JSON Schema of claims.

import { type Completion, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { syntaxTree } from "@codemirror/language";
import type { EditorState } from "@codemirror/state";
import type { SyntaxNode } from "@lezer/common";
import schema from "../../../../../schema.json";

interface Schema {
  $ref?: string;
  description?: string;
  type?: string | string[];
  enum?: string[];
  pattern?: string;
  propertyNames?: Schema;
  patternProperties?: Record<string, Schema>;
  items?: Schema;
  if?: Schema;
  then?: Schema;
  else?: Schema;
  allOf?: Schema[];
  anyOf?: Schema[];
  not?: Schema;
}

const root = schema as unknown as Schema;
const definitions = schema.$defs as unknown as Record<string, Schema>;

function resolve(s: Schema): Schema {
  return s.$ref === undefined ? s : resolve(definitions[s.$ref.slice(s.$ref.lastIndexOf("/") + 1)]!);
}

// shapes returns what a value may be: the schema of objects and that of everything else.
function shapes(s: Schema): { object?: Schema; other?: Schema } {
  s = resolve(s);
  if (s.if) return { object: s.then && resolve(s.then), other: s.else && resolve(s.else) };
  return s.patternProperties ? { object: s } : { other: s };
}

function matches(s: Schema, name: string): boolean {
  s = resolve(s);
  return (
    (s.pattern === undefined || new RegExp(s.pattern, "u").test(name)) &&
    (s.allOf ?? []).every((t) => matches(t, name)) &&
    (s.anyOf === undefined || s.anyOf.some((t) => matches(t, name))) &&
    (s.not === undefined || !matches(s.not, name))
  );
}

const stringOf = (state: EditorState, node: SyntaxNode): string => {
  const text = state.sliceDoc(node.from, node.to);
  try {
    return JSON.parse(text) as string;
  } catch {
    return text.replace(/^"|"$/g, "");
  }
};

// schemaOf returns the schema of the value that a node is, from the keys on the way to it.
function schemaOf(state: EditorState, node: SyntaxNode): Schema | undefined {
  const keys: string[] = [];
  let inArray = false;
  for (let at: SyntaxNode | null = node; at; at = at.parent) {
    if (at.name === "Property") {
      const key = at.getChild("PropertyName");
      if (!key) return undefined;
      keys.unshift(stringOf(state, key));
    } else if (at.name === "Array") {
      inArray = true;
    }
  }
  let here: Schema | undefined = root;
  for (const key of keys) {
    const object: Schema | undefined = here && shapes(here).object;
    const pattern: string | undefined = object && Object.keys(object.patternProperties!).find((p) => new RegExp(p, "u").test(key));
    here = pattern === undefined ? undefined : object!.patternProperties![pattern];
  }
  if (inArray && here) {
    const items = shapes(here).other?.items;
    return items && resolve(items);
  }
  return here;
}

// Names that the claim uses elsewhere are likely to be meant. A large claim is looked at in part.
const maxScan = 200_000;

function scopesIn(state: EditorState, prefix: string): string[] {
  const found = new Set<string>();
  for (const [, key] of state.sliceDoc(0, maxScan).matchAll(/("(?:[^"\\]|\\.)*")\s*:/g)) {
    try {
      const scope = JSON.parse(key!) as string;
      if (scope.startsWith(prefix)) found.add(scope);
    } catch {
      // It is being typed.
    }
  }
  return [...found].slice(0, 200);
}

const descriptions: Record<string, string> = {
  "integration:*": "everything",
  "credential:*": "every credential",
  "configuration:*": "every configuration",
};

// keys returns the keys that an object may have, and does not have yet.
function keys(state: EditorState, object: SyntaxNode, here: Schema, typed: string): Completion[] {
  const shape = shapes(here).object;
  if (!shape) return [];
  const present = new Set(object.getChildren("Property").map((p) => stringOf(state, p.getChild("PropertyName") ?? p)));
  present.delete(typed);
  const options: Completion[] = [];
  for (const pattern of Object.keys(shape.patternProperties ?? {})) {
    const prefix = pattern.replace(/^\^/, "");
    for (const scope of new Set([prefix + "*", ...scopesIn(state, prefix)])) {
      if (scope === typed || present.has(scope) || (shape.propertyNames && !matches(shape.propertyNames, scope))) continue;
      options.push({ label: scope, type: "property", detail: descriptions[scope] ?? "named in this claim", boost: scope.endsWith("*") ? 1 : 0 });
    }
    if (prefix === "integration:") options.push({ label: prefix, type: "text", detail: "then its name" });
    else {
      options.push({ label: prefix, type: "text", detail: "then its ID, a UUID" });
      options.push({ label: prefix + "ext:", type: "text", detail: "then its external ID" });
    }
  }
  return options;
}

/** complete proposes keys and values where the cursor is. */
export function complete(context: CompletionContext): CompletionResult | null {
  const { state, pos } = context;
  let node = syntaxTree(state).resolveInner(pos, -1);
  if (node.name === "⚠" && node.parent) node = node.parent;
  const isString = node.name === "String" || node.name === "PropertyName";
  const from = isString ? node.from + 1 : (context.matchBefore(/[\w:*-]+/)?.from ?? pos);
  if (!isString && !context.explicit && from === pos) return null;
  // A string that lacks its closing quotation mark ends with its line.
  let to = isString ? node.to : pos;
  if (isString && to > state.doc.lineAt(from).to) to = state.doc.lineAt(from).to;
  if (pos < from) return null;
  const typed = isString ? stringOf(state, node) : state.sliceDoc(from, pos);
  const left = to - pos; // of the string after the cursor; the cursor may move before the completion is applied
  const quoted = (label: string, after: string): Completion["apply"] => (view, _, start, cursor) => {
    const whole = JSON.stringify(label);
    const open = label.endsWith(":"); // the name comes next
    const end = cursor + left;
    const rest = after && !/^\s*:/.test(view.state.sliceDoc(end, end + 20)) ? after : "";
    view.dispatch({
      changes: { from: isString ? start - 1 : start, to: end, insert: whole + (open ? "" : rest) },
      selection: { anchor: (isString ? start - 1 : start) + whole.length + (open ? -1 : rest.length) },
      userEvent: "input.complete",
    });
  };

  const container = isString ? node.parent : node;
  if (!container) return null;
  const isKey = node.name === "PropertyName" || container.name === "Object" || (container.name === "Property" && !pastColon(state, container, pos));
  if (isKey) {
    const object = container.name === "Property" ? container.parent : container;
    if (object?.name !== "Object") return null;
    const holder = object.parent?.name === "Property" ? object.parent : null;
    const here = holder ? schemaOf(state, holder) : root;
    if (!here) return null;
    const options = keys(state, object, here, typed).map((o) => ({ ...o, apply: quoted(o.label, ": ") }));
    return { from, to: pos, options, validFor: /^[^"]*$/ };
  }

  const here = schemaOf(state, container);
  if (!here) return null;
  const value = resolve(here);
  if (value.enum) {
    const array = container.name === "Array" ? container : container.parent;
    const present = new Set((array?.getChildren("String") ?? []).filter((n) => n.from !== node.from).map((n) => stringOf(state, n)));
    const options: Completion[] = value.enum
      .filter((name) => !present.has(name))
      .map((name) => ({ label: name, type: "enum", apply: quoted(name, "") }));
    return { from, to: pos, options, validFor: /^[^"]*$/ };
  }
  if (isString) return null;
  const { object, other } = shapes(here);
  const options: Completion[] = [];
  if (other) {
    options.push({ label: "true", type: "keyword", detail: "allow every permission" }, { label: "false", type: "keyword", detail: "deny every permission" });
    options.push({ label: "[]", type: "text", detail: "allow only what it names", apply: inside("[]") });
  }
  if (object) options.push({ label: "{}", type: "text", detail: "more specific scopes", apply: inside("{}") });
  return { from, to: pos, options };
}

const inside =
  (text: string): Completion["apply"] =>
  (view, _, from, to) =>
    view.dispatch({ changes: { from, to, insert: text }, selection: { anchor: from + 1 }, userEvent: "input.complete" });

function pastColon(state: EditorState, property: SyntaxNode, pos: number): boolean {
  const key = property.getChild("PropertyName");
  return key !== null && /^\s*:/.test(state.sliceDoc(key.to, pos));
}
