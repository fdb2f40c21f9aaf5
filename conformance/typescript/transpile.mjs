// Turns a TypeScript file into a JavaScript one beside it, without checking types: node transpile.mjs FILE.ts

import { readFileSync, writeFileSync } from "node:fs";
import ts from "typescript";

const path = process.argv[2];
const options = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ES2022 };
writeFileSync(path.replace(/\.ts$/, ".mjs"), ts.transpile(readFileSync(path, "utf8"), options));
