// What the tests ask of the page, as T.
window.T = {
  all: (selector) => [...document.querySelectorAll(selector)],
  has: (selector, text) => T.all(selector).some((e) => e.innerText.includes(text)),

  // The editors are in shadow roots.
  inEditors: (selector) => T.all(".editor").flatMap((e) => [...e.shadowRoot.querySelectorAll(selector)]),
  inEditor: (selector) => [...document.querySelector(".editor").shadowRoot.querySelectorAll(selector)],
  text: () => T.inEditor(".cm-line").map((e) => e.textContent).join("\n"),
  proposes: (text) => T.inEditor(".cm-tooltip-autocomplete:not(.cm-tooltip-autocomplete-disabled) li").some((e) => e.innerText.includes(text)),
  markers: (kind) => T.inEditor(".cm-lint-marker-" + kind),
  fixInTooltip: () => T.inEditor(".cm-diagnosticAction").find((e) => e.getBoundingClientRect().top > 0),

  // A row of the tree has its text in one line.
  tree: (pattern) => T.all("[role=treeitem]").some((e) => new RegExp(pattern).test(e.innerText.replaceAll(/\s+/g, " "))),

  // A cell of the matrix, by the beginning of its row's title and the name of a permission.
  cell(row, permission) {
    const column = T.all(".matrix [role=columnheader]").findIndex((e) => (e.ariaLabel ?? e.innerText) === permission);
    const head = T.all(".matrix [role=rowheader]").find((e) => e.title.startsWith(row));
    return head && document.querySelector(`[data-cell="${head.dataset.cell.replace(/\d+$/, column)}"]`);
  },
  seen: (selector, list) =>
    T.all(list + " " + selector).filter((e) => {
      const {top} = e.getBoundingClientRect(), view = document.querySelector(list).getBoundingClientRect();
      return top > view.top + 46 && top < view.bottom; // 46: the head of the matrix
    }),

  center(e) {
    e.scrollIntoView({block: "nearest"});
    const {x, y, width, height} = e.getBoundingClientRect();
    return [x + width / 2, y + height / 2];
  },
  verdicts: () => T.all(".card > header .badge").map((e) => e.innerText),
  choose(value) {
    document.activeElement.value = value;
    document.activeElement.dispatchEvent(new Event("change", {bubbles: true}));
  },
  active: () => document.activeElement,
  stored: async () =>
    JSON.stringify([(await indexedDB.databases()).length, document.cookie, {...localStorage}, {...sessionStorage}]),

  // What the fragment of a link holds.
  async held(fragment) {
    const bytes = Uint8Array.from(atob(fragment.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"))).text();
  },

  axe: async () =>
    (await axe.run(document, {resultTypes: ["violations"]})).violations.flatMap(({id, nodes}) =>
      nodes.map((n) => `${id}: ${n.target.flat().join(" ")} ${n.failureSummary}`)),

  // How long each of a number of answers takes after a click on a cell, and its explanation, in milliseconds.
  // The cells are all over the matrix.
  async answers(n) {
    const times = {answers: [], explanations: []};
    const box = document.querySelector(".matrix");
    for (let i = 0; i < n; i++) {
      box.scrollTop = box.scrollHeight * i / n;
      let cells = [];
      while (cells.length === 0) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        cells = T.seen(".cell", ".matrix").filter((e) => e.innerText && !e.matches(".void, .picked"));
      }
      await new Promise((resolve) => setTimeout(resolve, 300)); // nobody clicks while it still scrolls
      const begun = performance.now();
      let answer;
      const explained = new Promise((resolve, reject) => {
        setTimeout(() => reject(new Error("there is no answer")), 10_000);
        const observer = new MutationObserver(() => {
          if (!answer && document.querySelector(".answers[aria-busy=false] .verdict")) answer = performance.now();
          if (!document.querySelector(".answers[aria-busy=false] .why[aria-busy=false]")) return;
          observer.disconnect();
          resolve(performance.now());
        });
        observer.observe(document.querySelector(".question"), {subtree: true, childList: true, attributes: true});
      });
      const cell = cells[Math.floor(cells.length / 2)];
      cell.click();
      times.explanations.push(await explained - begun);
      times.answers.push(answer - begun);
    }
    return times;
  },

  // How long it takes until all rows are there after a jump in the matrix.
  async jump() {
    const box = document.querySelector(".matrix");
    box.scrollTop = box.scrollHeight / 2;
    const begun = performance.now();
    for (;;) {
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
      const cells = T.seen(".cell", ".matrix");
      if (cells.length > 0 && cells.every((e) => e.innerText)) return performance.now() - begun;
    }
  },
};

// When the page was painted first with what it is for, and not with a note that it loads.
new MutationObserver((_, observer) => {
  if (!document.querySelector("main")) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => (T.painted = performance.now())));
}).observe(document, {subtree: true, childList: true});
