// Runs the conformance vectors against an evaluator: node typescript/build/run.js [EVALUATOR] [DIRECTORY].
//
// The evaluator is a module with what permissions.ts beside this file exports. README.md describes the vectors.
// The exit code is 0 if nothing is wrong.

import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type * as permissions from "./permissions.js";

interface Query {
  action: string; target: unknown; allowed?: boolean; rule?: string[]; invalid?: boolean; undetermined?: boolean;
}
interface Case {
  name: string; claim: string; error?: string; pointer?: string;
  queries?: Query[]; visible?: { target: unknown; visible: boolean }[];
}
interface TargetCase { name: string; target: string; canonical?: string; invalid?: boolean }

const kit = resolve(import.meta.dirname, "../..");
const evaluatorPath = process.argv[2] ?? join(import.meta.dirname, "permissions.js");
const directory = process.argv[3] ?? join(kit, "../testdata/conformance");
const evaluator = await import(pathToFileURL(resolve(evaluatorPath)).href) as typeof permissions;
let checks = 0, wrong = 0;

function check(name: string, what: string, want: unknown, got: unknown) {
  checks++;
  if (JSON.stringify(want) === JSON.stringify(got)) return;
  wrong++;
  if (wrong <= 10) console.log(`${name}: ${what}: want ${JSON.stringify(want)}, got ${JSON.stringify(got)}`);
}

function claim(c: Case) {
  const wantRefusal = c.error === undefined ? "a policy" : [c.error, c.pointer];
  let rules: permissions.Rule[];
  try {
    rules = evaluator.parse(c.claim);
  } catch (mistake) {
    if (!(mistake instanceof evaluator.Mistake)) throw mistake;
    return check(c.name, c.claim, wantRefusal, [mistake.kind, mistake.pointer]);
  }
  if (c.error !== undefined) return check(c.name, c.claim, wantRefusal, "a policy");
  for (const q of c.queries ?? []) {
    const target = JSON.stringify(q.target);
    const answer = evaluator.decide(rules, q.action, evaluator.parseTarget(target));
    const what = `${q.action} on ${target} of ${c.claim}`;
    check(c.name, `${what}: allowed`, q.allowed ?? false, answer.allowed);
    check(c.name, `${what}: rule`, q.rule ?? null, answer.rule);
    check(c.name, `${what}: invalid`, q.invalid ?? false, answer.invalid);
    check(c.name, `${what}: undetermined`, q.undetermined ?? false, answer.undetermined);
  }
  for (const q of c.visible ?? []) {
    const target = JSON.stringify(q.target);
    const got = evaluator.visible(rules, evaluator.parseTarget(target));
    check(c.name, `${target} visible with ${c.claim}`, q.visible, got);
  }
}

function target(c: TargetCase) {
  const target = evaluator.parseTarget(c.target);
  check(c.name, c.target, c.invalid ? null : c.canonical, target ? evaluator.formatTarget(target) : null);
}

const version = JSON.parse(readFileSync(join(kit, "version.json"), "utf8")) as {
  version: string; cases: Record<string, number>;
};
for (const [name, count] of Object.entries(version.cases)) {
  const folder = name === "order" ? kit : directory; // README.md says what is where
  const cases = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as unknown[];
  if (cases.length !== count) {
    console.error(`${name}.json has ${cases.length} cases, and version ${version.version} has ${count}`);
    process.exit(1);
  }
  const before = [checks, wrong] as const;
  for (const c of cases) name === "targets" ? target(c as TargetCase) : claim(c as Case);
  console.log(`${name}: ${checks - before[0]} checks, ${wrong - before[1]} wrong`);
}
process.exit(wrong ? 1 : 0);
