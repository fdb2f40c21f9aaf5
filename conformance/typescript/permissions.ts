// SPEC.md as a small evaluator in TypeScript, for the conformance kit. It needs nothing but JavaScript of 2024.
//
// It is written to be read and to be right, not to be fast: do not put it in front of hostile input.

/** Of an identifier: undefined says that nobody has looked, null that it is absent (SPEC 3.2). */
type Identifier = string | null | undefined;
/** The ID and the external ID of a credential or a configuration. */
type Level = [id: Identifier, externalId: Identifier];
/** The integration, then the credential and the configuration, as far as it goes. [] is the user. */
export type Target = [] | [string | undefined, ...Level[]];
/** A pattern and a name. The patterns are ordered from the least to the most specific (SPEC 2.2). */
type Scope = [pattern: number, name: string];
export interface Rule { path: Scope[]; grant: Set<string> }
export interface Answer { allowed: boolean; invalid: boolean; undetermined: boolean; rule: string[] | null }

/** What is wrong with a claim (SPEC 6.2). */
export class Mistake extends Error {
  constructor(readonly kind: string, readonly pointer = "") { super(`${kind} at ${pointer}`); }
}

const kinds = ["user", "integration", "credential", "configuration"]; // by their depth
const [any, external, exact] = [0, 1, 2];

// What each action acts on, by the depth of the target (SPEC 3.3): a depth and whether that is new, or null for
// an invalid question. What is as deep as the target is the target itself.
type Acts = [depth: number, isNew: boolean] | null;
const self: Acts[] = [[0, false], [1, false], [2, false], [3, false]];
const proxy: Acts[] = [null, [2, false], [2, false], [3, false]];
const settings: Acts[] = [null, [3, false], [3, false], [3, false]];
const actsOn = new Map<string, Acts[]>([
  ["credential:write", [null, [2, true], [2, false], [3, false]]],
  ["config:write", [null, [3, true], [3, true], [3, false]]],
  ["settings:read", settings], ["settings:write", settings], ["metadata:read", self], ["metadata:write", self],
  ["proxy-api", proxy], ["events", self], ["workflows", settings], ["actionkit", [[0, false], ...proxy.slice(1)]],
]);
const includes = new Map([["settings:write", "settings:read"], ["metadata:write", "metadata:read"]]); // SPEC 1.5

const stringToken = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const numberToken = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const uuid = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;
const whiteSpaceAtAnEnd = /^\p{White_Space}|\p{White_Space}$/u;

type Token = { string: string } | "number" | "{" | "}" | "[" | "]" | true | false | null;

/** Yields the tokens of a JSON text. It reads no further than the token, because the first mistake in the text
 * counts (SPEC 6.2). */
function* tokens(text: string): Generator<Token, never, void> {
  const stack: string[] = [];
  let at = 0, expect = "value";
  const space = () => { while (" \t\r\n".includes(text[at] ?? "x")) at++; return text[at] ?? ""; };
  const match = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    at += found?.length ?? 0;
    return found;
  };
  const after = () => { expect = stack.length ? "next" : "end"; };
  while (expect !== "end") {
    let c = space();
    if ((c === "}" || c === "]") && stack.at(-1) === c && (expect === "next" || expect === "first")) {
      stack.pop(); at++; after();
      yield c;
      continue;
    }
    if (expect === "next") {
      if (c !== ",") throw new Mistake("syntax");
      at++;
      c = space(); expect = "more";
    }
    if (expect !== "value" && stack.at(-1) === "}") { // a name and its colon
      const name = match(stringToken);
      if (name === undefined) throw new Mistake("syntax");
      yield { string: decode(name) };
      if (space() !== ":") throw new Mistake("syntax");
      at++;
      c = space();
    }
    if (c === "{" || c === "[") {
      stack.push(c === "{" ? "}" : "]"); at++; expect = "first";
      yield c;
      continue;
    }
    const word = (["true", "false", "null"] as const).find((word) => text.startsWith(word, at));
    const string = word ? undefined : match(stringToken);
    if (word) at += word.length;
    if (!word && string === undefined) { // a number is judged at the character after it
      if (match(numberToken) === undefined) throw new Mistake("syntax");
      const end = text[at] ?? "";
      const next = stack.length ? [",", stack.at(-1)] : [""];
      const ends = end !== "" && " \t\r\n".includes(end) || next.includes(end);
      if (!ends) throw new Mistake("syntax");
    }
    after();
    if (word) yield word === "null" ? null : word === "true";
    else yield string === undefined ? "number" : { string: decode(string) };
  }
  if (space() !== "") throw new Mistake("syntax");
  return undefined as never;
}

function decode(string: string): string {
  return (JSON.parse(string) as string).toWellFormed(); // lone surrogates become U+FFFD (SPEC 6.2)
}

/** Reads what is left, which can only be a syntax mistake. */
function finish(read: Generator<Token, never, void>) { while (!read.next().done); }

const isString = (token: Token): token is { string: string } => typeof token === "object" && token !== null;

/** SPEC 2.4, what names and external IDs have in common. */
const goodText = (s: string) => s !== "" && !whiteSpaceAtAnEnd.test(s) && !/[\p{Cc}\ufffd]/u.test(s);
const goodName = (s: string) => goodText(s) && !s.includes("*") && !/^ext(:|$)/i.test(s);
const goodExternalId = (s: string) => goodText(s) && s !== "*";

/** Returns the depth and the scope, or undefined for what is not a scope (SPEC 2.3 to 2.5). */
function parseScope(key: string): [depth: number, scope: Scope] | undefined {
  const colon = key.indexOf(":"), rest = key.slice(colon + 1);
  const depth = colon < 0 ? 0 : kinds.indexOf(key.slice(0, colon));
  if (depth < 1) return undefined;
  if (rest === "*") return [depth, [any, ""]];
  if (depth === 1) return goodName(rest) ? [1, [exact, rest]] : undefined;
  if (rest.startsWith("ext:")) return goodExternalId(rest.slice(4)) ? [depth, [external, rest.slice(4)]] : undefined;
  return uuid.test(rest) ? [depth, [exact, rest.toLowerCase()]] : undefined;
}

/** Returns the rules of a claim, or throws a Mistake. */
export function parse(claim: string): Rule[] {
  const read = tokens(claim), rules = new Map<string, Rule>();
  if (read.next().value !== "{") throw new Mistake("type");
  parseMap(read, rules, [], "");
  finish(read);
  return [...rules.values()];
}

function parseMap(read: Generator<Token, never, void>, rules: Map<string, Rule>, holder: Scope[], above: string) {
  const keys = new Set<string>();
  for (let token = read.next().value; token !== "}"; token = read.next().value) {
    const key = (token as { string: string }).string;
    const pointer = above + "/" + key.replaceAll("~", "~0").replaceAll("/", "~1");
    if (keys.has(key)) throw new Mistake("duplicate", pointer);
    keys.add(key);
    const scope = parseScope(key);
    if (!scope) throw new Mistake("scope", pointer);
    if (scope[0] <= holder.length) throw new Mistake("nesting", pointer);
    const path = [...holder];
    while (path.length < scope[0] - 1) path.push([any, ""]); // SPEC 2.7
    path.push(scope[1]);
    const value = read.next().value;
    if (value === "{") {
      if (scope[0] === 3) throw new Mistake("nesting", pointer);
      parseMap(read, rules, path, pointer);
      continue;
    }
    let grant: Set<string>;
    if (value === "[") grant = parseNames(read, pointer);
    else if (value === true || value === false) grant = new Set(value ? actsOn.keys() : []);
    else throw new Mistake("type", pointer);
    const same = JSON.stringify(path);
    if (rules.has(same)) throw new Mistake("duplicate", pointer);
    rules.set(same, { path, grant });
  }
}

function parseNames(read: Generator<Token, never, void>, above: string): Set<string> {
  const names = new Set<string>();
  let index = 0;
  for (let token = read.next().value; token !== "]"; token = read.next().value) {
    const pointer = `${above}/${index++}`;
    if (!isString(token)) throw new Mistake("type", pointer);
    if (!actsOn.has(token.string)) throw new Mistake("permission", pointer);
    names.add(token.string).add(includes.get(token.string) ?? token.string);
  }
  return names;
}

/** Returns a target (SPEC 3.6), or undefined for what is not a valid one (SPEC 3.4). */
export function parseTarget(text: string): Target | undefined {
  const read = tokens(text);
  let top: Map<string, unknown>;
  try {
    top = parseMembers(read, true);
    finish(read);
  } catch (mistake) {
    if (mistake instanceof Mistake) return undefined;
    throw mistake;
  }
  const levels = kinds.slice(1, 1 + top.size).map((kind) => top.get(kind));
  if (levels.includes(undefined)) return undefined; // a level without the one above it
  if (levels.length === 0) return [];
  const [integration, ...rest] = levels as [string, ...Map<string, Identifier>[]];
  const target: Target = [integration];
  if (!goodName(integration)) return undefined;
  for (const level of rest) {
    const id = level.get("id"), externalId = level.get("externalId");
    if (typeof id === "string" && !uuid.test(id)) return undefined;
    if (typeof externalId === "string" && !goodExternalId(externalId)) return undefined;
    target.push([id && id.toLowerCase(), externalId]);
  }
  return target;
}

/** Reads the object of a target, or of one of its levels. */
function parseMembers(read: Generator<Token, never, void>, isTop: boolean): Map<string, unknown> {
  if (read.next().value !== "{") throw new Mistake("type");
  const members = new Map<string, unknown>(), names = isTop ? kinds.slice(1) : ["id", "externalId"];
  for (let token = read.next().value; token !== "}"; token = read.next().value) {
    const name = (token as { string: string }).string;
    if (!names.includes(name) || members.has(name)) throw new Mistake("type");
    if (isTop && name !== "integration") {
      members.set(name, parseMembers(read, false));
      continue;
    }
    const value = read.next().value;
    if (!isString(value) && (isTop || value !== null)) throw new Mistake("type");
    members.set(name, isString(value) ? value.string : null);
  }
  return members;
}

/** The canonical JSON of a target (SPEC 3.6). */
export function formatTarget(target: Target): string {
  const level = (l?: Level) => l && { id: l[0], externalId: l[1] };
  const [integration, credential, configuration] = target;
  return JSON.stringify({ integration, credential: level(credential), configuration: level(configuration) });
}

/** SPEC 4.1 and 4.2. */
function applies(path: Scope[], target: Target): boolean {
  if (path.length === 1 && path[0]![0] === any) return true;
  return target.length >= path.length && path.every(([pattern, name], i) => pattern === any ||
    (i === 0 ? target[0] : (target[i] as Level)[2 - pattern]) === name); // the ID, or after it the external ID
}

/** How specific a path is (SPEC 4.5). */
const specificity = (path: Scope[]) => path.reduce((sum, [pattern], i) => sum + 1000 + pattern * 3 ** i, 0);

/** The rule that decides (SPEC 4.4). */
function deciding(rules: Rule[], target: Target): Rule | undefined {
  return rules.filter((rule) => applies(rule.path, target))
    .sort((a, b) => specificity(b.path) - specificity(a.path))[0];
}

/** The target with those unknown identifiers filled in that a path names. */
function filled(path: Scope[], target: Target): Target {
  return target.map((level, i) => {
    const [pattern, name] = path[i] ?? [any, ""];
    if (pattern === any) return level;
    if (i === 0) return level === undefined ? name : level;
    const [id, externalId] = level as Level;
    if (pattern === exact) return [id === undefined ? name : id, externalId];
    return [id, externalId === undefined ? name : externalId];
  }) as Target;
}

/** Answers a question (SPEC 4). The target is undefined if it is invalid. */
export function decide(rules: Rule[], action: string, target: Target | undefined): Answer {
  const answer: Answer = { allowed: false, invalid: false, undetermined: false, rule: null };
  const acts = target && actsOn.get(action)?.[target.length];
  if (!acts) return { ...answer, invalid: true }; // SPEC 3.4
  const asked = [...target] as Target;
  while (asked.length < acts[0]) (asked as unknown[]).push([undefined, undefined]); // SPEC 4.3
  if (acts[1]) (asked as unknown[]).splice(-1, 1, [null, undefined]);
  const rule = deciding(rules, asked);
  if (!rule) return answer;
  if (!rule.grant.has(action)) return { ...answer, rule: spell(rule.path) };
  const denies = (other: Rule) => !other.grant.has(action) && deciding(rules, filled(other.path, asked)) === other;
  if (rules.some(denies)) return { ...answer, undetermined: true }; // SPEC 4.7
  return { ...answer, allowed: true, rule: spell(rule.path) };
}

/** The texts of a path's scopes. */
const spell = (path: Scope[]) =>
  path.map(([pattern, name], i) => `${kinds[i + 1]}:${["*", "ext:" + name, name][pattern]}`);

/** SPEC 5.1: whether something is allowed on the target, or on something below it that has what some rule names and
 * nothing else. */
export function visible(rules: Rule[], target: Target | undefined): boolean {
  if (!target) return false;
  const own: (string | Identifier[] | undefined)[] = target.map((level) =>
    level instanceof Array ? level.map((identifier) => identifier ?? null) : level); // unknown counts as absent
  for (let depth = target.length; depth <= 3; depth++) {
    const actsHere = ([, acts]: [string, Acts[]]) => acts[depth]?.[0] === depth && acts[depth]?.[1] === false;
    const here = [...actsOn].filter(actsHere).map(([action]) => action);
    const below = [...own];
    while (below.length < depth) below.push(below.length === 0 ? undefined : [undefined, undefined]);
    const allows = (path: Scope[]) => {
      const rule = deciding(rules, filled(path, below as Target));
      return rule !== undefined && here.some((action) => rule.grant.has(action));
    };
    if (allows([]) || rules.some((rule) => allows(rule.path))) return true;
  }
  return false;
}
