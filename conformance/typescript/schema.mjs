// Checks schema.json with ajv: it accepts each claim of the conformance vectors that is a claim, and refuses the
// others, except for mistakes of the kinds syntax and duplicate, which no schema can see.

import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";

const root = new URL("../../", import.meta.url);
const read = (path) => JSON.parse(readFileSync(new URL(path, root), "utf8"));
const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(read("schema.json"));

let accepted = 0, refused = 0, wrong = 0;
for (const file of ["decisions", "errors", "random"]) {
  for (const { name, claim, error } of read(`testdata/conformance/${file}.json`)) {
    if (error === "syntax" || error === "duplicate") continue;
    const want = error === undefined;
    if (want) accepted++; else refused++;
    if (validate(JSON.parse(claim)) !== want) {
      wrong++;
      console.log(`${name}: the schema ${want ? "refuses" : "accepts"} ${claim}`);
    }
  }
}
console.log(`schema.json: ${accepted} claims to accept, ${refused} to refuse, ${wrong} wrong`);
process.exit(wrong > 0 || accepted < 100 || refused < 20 ? 1 : 0);
