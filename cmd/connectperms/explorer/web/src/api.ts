// What the page asks the library, and the two ways to ask it: a WebAssembly module in a worker, and the
// loopback server. Both give the same answers.

export type Permission = string;
export type Grants = true | Permission[];
export type Handle = string;
export type Answer = "yes" | "no" | "undetermined";

export interface Place {
  pointer: string;
  from: number;
  to: number;
  offset: number;
  line: number;
  column: number;
}
export interface Thing {
  id?: string | null;
  externalId?: string | null;
}
export interface Target {
  integration?: string;
  credential?: Thing;
  configuration?: Thing;
}
export interface TextEdit {
  from: number;
  to: number;
  insert: string;
}
export interface RuleRef {
  rule: number;
  text: string;
  path: string[];
  grants: Grants;
  place: Place;
  keyTo: number;
  row: number;
}
export interface Mistake extends Partial<Place> {
  code: string;
  message: string;
  field?: string;
  found?: string;
  problem?: string;
  remedy?: string;
  fix?: { summary: string; edit: TextEdit };
}
export interface Failure {
  error: Mistake;
  looksLike?: "claim" | "token" | "payload";
  further?: Mistake[];
}
export interface PermissionInfo {
  name: Permission;
  description: string;
  includes: Permission[];
  actsOn: { user: string; integration: string; credential: string; configuration: string };
}
export interface TreeClaim {
  own?: RuleRef;
  map?: { place: Place; keyTo: number; empty: boolean };
  inherits?: RuleRef;
  overrides: RuleRef[];
}
export interface TreeRow {
  row: number;
  depth: number;
  kind: "user" | "integration" | "credential" | "configuration";
  scope: string;
  label: string;
  title: string;
  path: string[];
  target: Target;
  implied: boolean;
  children: number;
  descendants: number;
  claims: TreeClaim[];
}
export interface MatrixRow {
  row: number;
  target: Target;
  title: string;
  error?: string;
  claims: { cells: string; rules: number[] }[];
}
export interface Step {
  rule: RuleRef;
  outcome: "decides" | "overridden" | "undetermined" | "conditional" | "no_match" | "deeper";
  text: string;
  by?: RuleRef;
  level?: string;
  unknown?: string[];
}
export type Change =
  | { kind: "question"; summary: string; target: Target; answer: Answer }
  | { kind: "claim"; summary: string; edit: TextEdit };
export interface Rendered {
  go: string;
  json: string;
  command: string;
}
export interface Explanation extends Rendered {
  allowed: boolean;
  answer: Answer;
  reason: string;
  summary: string;
  rule?: RuleRef;
  unknown: string[];
  actsOn: string;
  new: boolean;
  steps: Step[];
  omitted: number;
  hint: string;
  changes: Change[];
}
/** Effects are the other answers of the matrix that a change of the claim changes. */
export interface Effects {
  answers: number;
  rows: number;
  first: { scope: string; title: string; target: Target; permissions: Permission[] }[];
}
export interface Finding {
  index: number;
  code: string;
  message: string;
  place: Place;
  keyTo: number;
  fix: { summary: string; hasEdit: boolean; changesAnswers: string[] };
}
export interface DiffSide {
  answer: Answer;
  summary: string;
  rule?: RuleRef;
}
export interface DiffChange {
  index: number;
  change: "gained" | "lost";
  permissions: Permission[];
  region: string;
  scopes: string[];
  row: number;
  only: string;
  unchanged: string;
  partly: string;
  separate: string;
  example: { action: Permission; target: Target; text: string };
  before: DiffSide;
  after: DiffSide;
}
export interface Diff {
  summary: "equal" | "wider" | "narrower" | "both";
  total: number;
  changes: DiffChange[];
  text: string;
}
export interface TokenInfo {
  kind: "token" | "payload";
  header?: string;
  payload: string;
  claim: string | null;
  subject?: string;
  audience: string[];
  issuer?: string;
  issued?: string;
  notBefore?: string;
  expires?: string;
  verification: {
    state: "not verified" | "verified" | "refused";
    message: string;
    field?: string;
    found?: string;
    problem?: string;
    remedy?: string;
  };
}

interface Calls {
  start: [Record<never, never>, { form: string; version: string; inputs: { name: string; text: string }[] }];
  vocabulary: [Record<never, never>, { permissions: PermissionInfo[] }];
  parse: [{ text: string } | { unrestricted: true }, { handle: Handle; rules: number; maps: number; unrestricted?: true }];
  outline: [{ claims: Handle[] }, { rows: number; descendants: number[] }];
  find: [{ claims: Handle[]; text: string; limit: number }, { rows: number[]; more: boolean }];
  tree: [{ claims: Handle[]; rows: number[] }, { rows: TreeRow[] }];
  matrix: [{ claims: Handle[]; rows?: number[]; targets?: Target[] }, { rows: MatrixRow[] }];
  // A brief explanation leaves out the rules that do not apply, and says how many there are.
  explain: [{ claim: Handle; action: Permission; target: Target; outline: Handle[]; brief?: boolean }, Explanation];
  effects: [{ claim: Handle; action: Permission; target: Target; change: number }, Effects];
  question: [{ action: Permission; target: Target }, Rendered];
  lint: [{ claim: Handle; from?: number; count?: number }, { total: number; findings: Finding[] }];
  fix: [{ claim: Handle; finding: number }, { edit: TextEdit }];
  diff: [{ before: Handle; after: Handle; from?: number; count?: number }, Diff];
  narrow: [{ claims: Handle[] }, { text: string }];
  format: [{ text: string }, { text: string }];
  token: [{ text: string; key?: string; project?: string }, TokenInfo];
}

export type Call = <N extends keyof Calls>(name: N, request: Calls[N][0]) => Promise<Calls[N][1]>;

/** A Refusal is an answer that says what is wrong with the input. */
export class Refusal extends Error {
  constructor(readonly failure: Failure) {
    super(failure.error.message);
  }
}

type Send = (name: string, request: string) => Promise<string>;

function loopback(): Send {
  return async (name, request) => {
    const response = await fetch("api/" + name, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: request,
    });
    if (!response.ok) throw new Error(`The server answered ${response.status}. Is the command still running?`);
    return await response.text();
  };
}

function worker(): Send {
  const pending = new Map<number, { resolve: (answer: string) => void; reject: (err: Error) => void }>();
  const thread = new Worker("worker.js");
  let next = 0;
  thread.onmessage = ({ data }: MessageEvent<{ id: number; answer?: string; failure?: string }>) => {
    const waiting = pending.get(data.id);
    pending.delete(data.id);
    if (data.answer !== undefined) waiting?.resolve(data.answer);
    else waiting?.reject(new Error(data.failure ?? "The module did not answer."));
  };
  thread.onerror = (event) => {
    for (const waiting of pending.values()) waiting.reject(new Error(event.message || "The module did not load."));
    pending.clear();
  };
  return (name, request) =>
    new Promise((resolve, reject) => {
      const id = next++;
      pending.set(id, { resolve, reject });
      thread.postMessage({ id, name, request });
    });
}

// Calls that may take longer than a frame. They have a worker of their own, so that no question waits for them.
const slow = new Set<string>(["lint", "fix", "effects", "diff", "narrow", "token", "format"]);

/** connect returns the function that asks the library. */
export function connect(form: string): Call {
  let quickly: Send, slowly: Send | undefined;
  if (form === "static") {
    quickly = worker();
  } else {
    quickly = slowly = loopback();
  }

  // The library keeps few claims, and each worker only what it has parsed. The page keeps more texts, and parses one
  // again where its claim is missing.
  const texts = new Map<Handle, string>();
  const keep = (handle: Handle, request: string): void => {
    texts.delete(handle);
    texts.set(handle, request);
    if (texts.size > 16) texts.delete(texts.keys().next().value!);
  };

  return async (name, request) => {
    const text = JSON.stringify(request);
    const isSlow = slow.has(name);
    const send = isSlow ? (slowly ??= worker()) : quickly;
    let answer = JSON.parse(await send(name, text)) as Record<string, unknown>;
    if ((answer as unknown as Failure).error?.code === "gone") {
      const r = request as { claim?: Handle; claims?: Handle[]; outline?: Handle[]; before?: Handle; after?: Handle };
      for (const handle of new Set([r.claim, r.before, r.after, ...(r.claims ?? []), ...(r.outline ?? [])])) {
        const parse = handle !== undefined && texts.get(handle);
        if (parse) await send("parse", parse);
      }
      answer = JSON.parse(await send(name, text)) as Record<string, unknown>;
    }
    if ((answer as unknown as Failure).error) throw new Refusal(answer as unknown as Failure);
    if (name === "parse") keep(answer["handle"] as Handle, text);
    return answer as never;
  };
}
