// Measures how long the WebAssembly of a static folder takes to answer about a claim of 10,000 rules, in Node:
//
//   node internal/bundle/testdata/measure.cjs FOLDER
//
// A time is the shortest of some calls, with the JSON of the request and the answer. The calls that keep their
// answer are made once. All times are of the processor, so that other work on the machine does not count.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const folder = process.argv[2];
require(path.resolve(folder, "wasm_exec.js"));

// claim returns a claim with a number of rules.
function claim(rules) {
  const names = ["credential:write", "config:write", "settings:read", "proxy-api", "events", "workflows"];
  const all = { "integration:*": ["events"] };
  for (let n = 1, i = 0; n < rules; i++) {
    const inside = { "credential:*": ["events", "proxy-api"] };
    n++;
    for (let j = 0; j < 8 && n < rules; j++, n++) {
      const id = `${(i * 10 + j).toString(16).padStart(8, "0")}-0000-4000-8000-000000000001`;
      const scope = j % 2 ? `credential:${id}` : `credential:ext:team ${i}-${j}`;
      inside[scope] = [names[j % 6], names[(i + j * 2 + 1) % 6]];
    }
    all[`integration:app-${i}`] = inside;
  }
  return all;
}

function call(name, request, times = 1) {
  let answer;
  let shortest = Infinity;
  for (let i = 0; i < times; i++) {
    const before = process.cpuUsage();
    answer = JSON.parse(connectperms(name, JSON.stringify(request)));
    const { user, system } = process.cpuUsage(before);
    shortest = Math.min(shortest, (user + system) / 1000);
  }
  if (answer.error) {
    throw new Error(`${name}: ${answer.error.message}`);
  }
  console.log(`${name.padEnd(10)} ${shortest.toFixed(1).padStart(8)} ms`);
  return answer;
}

(async () => {
  const go = new Go();
  const { instance } = await WebAssembly.instantiate(fs.readFileSync(path.join(folder, "explorer.wasm")), go.importObject);
  go.run(instance);

  const rules = claim(10_000);
  const text = JSON.stringify(rules, null, 2);
  const { handle } = call("parse", { text });
  const claims = [handle];
  call("outline", { claims });
  const rows = Array.from({ length: 50 }, (_, i) => 3000 + i);
  const target = { integration: "app-50", credential: { externalId: "team 50-2" } };
  call("tree", { claims, rows }, 30);
  call("matrix", { claims, rows }, 30);
  call("find", { claims, text: "team 99", limit: 50 }, 30);
  call("question", { claim: handle, action: "workflows", target }, 30);
  call("explain", { claim: handle, action: "workflows", target }, 30);
  call("explain", { claim: handle, action: "workflows", target, brief: true }, 30);
  const named = { integration: "app-50", credential: { id: "00000000-0000-4000-8000-000000000009", externalId: null } };
  call("effects", { claim: handle, action: "workflows", target: named, change: 0 }, 10);
  call("lint", { claim: handle });
  call("fix", { claim: handle, finding: 0 });
  rules["integration:app-3"] = true;
  const other = call("parse", { text: JSON.stringify(rules) }).handle;
  call("outline", { claims: [handle, other] });
  call("diff", { before: handle, after: other });
  call("narrow", { claims: [handle, other] });
  process.exit(0);
})();
