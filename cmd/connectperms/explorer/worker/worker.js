// The worker runs the WebAssembly of the explorer, so that the page never waits for it. It takes messages
// {id, name, request} and answers each with {id, answer} or, if a module does not load, {id, failure}.
"use strict";

importScripts("wasm_exec.js");

async function load(file) {
  const response = await fetch(file);
  if (!response.ok) {
    throw new Error(`${file}: the server answered ${response.status}`);
  }
  const go = new Go();
  const { instance } = await WebAssembly.instantiate(await response.arrayBuffer(), go.importObject);
  go.run(instance).then(() => console.error(`${file} has ended`));
}

const engine = load("explorer.wasm");
let tokens; // loaded when it is asked for

async function answer(name, request) {
  if (name === "token") {
    tokens ??= load("token.wasm");
    await tokens;
    return connectpermsToken(request);
  }
  await engine;
  return connectperms(name, request);
}

self.onmessage = async ({ data: { id, name, request } }) => {
  try {
    self.postMessage({ id, answer: await answer(name, request) });
  } catch (error) {
    if (name === "token") {
      tokens = undefined; // the next call tries again
    }
    self.postMessage({ id, failure: String(error.message ?? error) });
  }
};
