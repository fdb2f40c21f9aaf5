// Runs worker.js of a static folder in Node, with what a browser has. Standard input has a request on each line,
// an array of a name and a text. Standard output gets an answer on each line, in the same order.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const readline = require("node:readline");
const vm = require("node:vm");

const folder = process.argv[2];
const waiting = new Map();
globalThis.importScripts = (file) => vm.runInThisContext(fs.readFileSync(path.join(folder, file), "utf8"));
globalThis.fetch = async (file) => {
  const name = path.join(folder, file);
  return fs.existsSync(name) ? new Response(fs.readFileSync(name)) : new Response("", { status: 404 });
};
globalThis.self = {
  postMessage: ({ id, answer, failure }) => {
    waiting.get(id)(failure === undefined ? answer : JSON.stringify({ failure }));
    waiting.delete(id);
  },
};
vm.runInThisContext(fs.readFileSync(path.join(folder, "worker.js"), "utf8"));

(async () => {
  let id = 0;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [name, request] = JSON.parse(line);
    const answer = await new Promise((resolve) => {
      waiting.set(++id, resolve);
      globalThis.self.onmessage({ data: { id, name, request } });
    });
    fs.writeSync(1, JSON.stringify(answer) + "\n");
  }
  process.exit(0); // the modules wait for calls
})();
