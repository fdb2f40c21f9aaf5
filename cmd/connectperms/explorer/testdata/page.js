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
      return top > view.top + 50 && top < view.bottom; // 50: the head of the matrix
    }),

  // aim brings an element into sight, and returns the place to click on, which is empty if there is no such element.
  // The strip stays in sight, and can cover it. hit is whether a click has reached the element since. Some elements act
  // when the button of the mouse is pressed, and are gone when it is released.
  events: [],
  aim(e) {
    if (!e?.isConnected) return [];
    e.scrollIntoViewIfNeeded();
    const {x, y, width, height} = e.getClientRects()[0];
    const at = [x + width / 2, y + height / 2];
    if (!e.contains(e.getRootNode().elementFromPoint(...at))) scrollBy(0, -120);
    T.aimed = e;
    T.events = [];
    return at;
  },
  hit: () => T.events.includes("click") || (T.events.includes("pointerdown") && !T.aimed.isConnected),
  verdict: () => T.all(".strip .badge").map((e) => e.innerText).join(),

  // recheck does what the page does every ten seconds: it verifies the token again. verdicts has each verdict that
  // the page has shown since watchVerdicts, apart from repetitions.
  every10Seconds: [],
  recheck: () => T.every10Seconds.forEach((f) => f()),
  verdicts: [],
  watchVerdicts() {
    const look = () => {
      const now = document.querySelector(".verification strong").innerText.trim();
      if (now !== T.verdicts.at(-1)) T.verdicts.push(now);
    };
    T.verdicts = [];
    look();
    T.watcher?.disconnect();
    T.watcher = new MutationObserver(look);
    T.watcher.observe(document.querySelector(".token"), {subtree: true, childList: true, characterData: true});
  },
  inSight(selector) {
    const {x, y, width, height} = document.querySelector(selector).getBoundingClientRect();
    return document.elementFromPoint(x + width / 2, y + height / 2)?.matches(selector) ?? false;
  },
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

  async axe() {
    for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
    await Promise.all(document.getAnimations().map((a) => a.finished.catch(() => {}))); // colours change slowly
    return (await axe.run(document, {resultTypes: ["violations"]})).violations.flatMap(({id, nodes}) =>
      nodes.map((n) => `${id}: ${n.target.flat().join(" ")} ${n.failureSummary}`));
  },

  // How long a number of clicks on cells take, in milliseconds: until the answer with its explanation is in the
  // page, until the frame with it has been painted, and until that with the rule highlighted in the editor and the tree
  // has. A frame counts as painted when the page has handed it over. The cells are all over the matrix. Either nothing
  // is known before the click, or a person presses the button of the mouse for a moment.
  async answers(n, person) {
    const times = {answers: [], painted: [], lit: []};
    const box = document.querySelector(".matrix");
    const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    const painted = () =>
      new Promise((resolve) => requestAnimationFrame(() => scheduler.postTask(() => resolve(performance.now()), {priority: "user-blocking"})));
    const rules = () => [T.inEditor(".mark-decides")[0]?.innerText, document.querySelector(".tree .lit")?.dataset.row].join();
    for (let i = 0; i < n; i++) {
      box.scrollTop = box.scrollHeight * i / n;
      let cells = [];
      while (cells.length === 0) {
        await after(50);
        cells = T.seen(".cell", ".matrix").filter((e) => e.innerText && !e.matches(".void, .picked"));
      }
      await after(350 + Math.random() * 16); // nobody clicks while it still scrolls, or when a frame begins
      const before = rules();
      const cell = cells[Math.floor(cells.length / 2)];
      if (person) {
        cell.focus({preventScroll: true}); // as a mouse does
        await after(60);
      }
      const begun = performance.now();
      const shown = new Promise((resolve, reject) => {
        setTimeout(() => reject(new Error("there is no answer")), 10_000);
        const observer = new MutationObserver(() => {
          if (!document.querySelector(".answers[aria-busy=false] .verdict")) return;
          observer.disconnect();
          times.answers.push(performance.now() - begun);
          resolve(painted());
        });
        observer.observe(document.querySelector(".answers"), {subtree: true, childList: true, attributes: true, characterData: true});
      });
      cell.click();
      times.painted.push(await shown - begun);
      let now = await painted();
      while (rules() === before && now - begun < 1000) now = await painted();
      if (rules() !== before) times.lit.push(now - begun);
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

const repeat = window.setInterval;
window.setInterval = (f, ms) => {
  if (ms === 10_000) T.every10Seconds.push(f);
  return repeat(f, ms);
};

// When the page was painted first with what it is for, and not with a note that it loads.
new MutationObserver((_, observer) => {
  if (!document.querySelector("main")) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => (T.painted = performance.now())));
}).observe(document, {subtree: true, childList: true});

for (const type of ["pointerdown", "click"])
  addEventListener(type, (event) => event.composedPath().includes(T.aimed) && T.events.push(type), {capture: true});
