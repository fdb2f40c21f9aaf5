import "../style.css";
import { render } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Call, connect, type Change, type Explanation, type Handle, type Mistake, type PermissionInfo, Refusal, type RuleRef, type Target, type TreeRow } from "./api.ts";
import { Answer } from "./answer.tsx";
import { Ask, type Form, formOf, questionOf, Written } from "./ask.tsx";
import { Comparison } from "./compare.tsx";
import { Editor, type Mark } from "./editor.tsx";
import { answerOf, toMistake, useAsked } from "./hooks.ts";
import { decodeLink, isLink, type Shared } from "./link.ts";
import { Matrix, type Question } from "./matrix.tsx";
import { Badge, Open, TokenFacts, type Verdict } from "./open.tsx";
import { Share } from "./share.tsx";
import { type Side, useSide } from "./side.ts";
import { type Outline, Tree } from "./tree.tsx";
import { describe, quote, sentence } from "./words.ts";

const example = `{
  "integration:*": ["events"],
  "integration:salesforce": {
    "credential:*": false,
    "credential:3fa85f64-5717-4562-b3fc-2c963f66afa6": ["proxy-api", "workflows"]
  },
  "configuration:ext:Team A": ["settings:write"]
}
`;
const exampleQuestion: Question = {
  action: "proxy-api",
  target: { integration: "salesforce", credential: { id: "9b2f3c10-77aa-4e0e-9a58-0f5b7c1d2e3f", externalId: null } },
};

const storageKey = "connectperms explorer";
interface Kept {
  theme: string;
  shared: Shared;
}

function readKept(): Kept | null {
  try {
    return JSON.parse(localStorage.getItem(storageKey) ?? "null") as Kept | null;
  } catch {
    return null;
  }
}

// describeQuestion says what is wrong with a question.
function describeQuestion({ field, found, problem, remedy, message }: Mistake): string {
  if (!field || !problem) return sentence(message);
  // The remedy speaks of the functions of the library.
  if (/^\w+ ID$/.test(field)) remedy = "any other text is an external ID";
  return sentence(`the ${field}${found ? " " + quote(found) : ""} ${problem}`) + (remedy ? " " + sentence(remedy) : "");
}

function Card(props: { area: string; title: string; verdict?: Verdict | undefined; actions?: preact.ComponentChildren; children: preact.ComponentChildren }) {
  return (
    <section class={`card ${props.area}`} aria-labelledby={`title-${props.area}`}>
      <header>
        <h2 id={`title-${props.area}`} tabIndex={-1}>
          {props.title}
        </h2>
        {props.verdict && <Badge verdict={props.verdict} />}
        {props.actions}
      </header>
      {props.children}
    </section>
  );
}

const count = (n: number, what: string): string => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;

function Claim(props: { side: Side; name: string; area: string; mark: boolean; marks: Mark[] }) {
  const { side } = props;
  const [all, setAll] = useState(false);
  const shown = all ? side.problems : side.problems.slice(0, 5);
  return (
    <Card area={props.area} title={props.name} {...(props.mark && { verdict: side.verdict })}>
      <Open
        opened={side.opened}
        onOpen={(text, name) => void side.open(text, name)}
        onClear={() => {
          side.clear();
          side.editor.current?.show(0, true);
        }}
      />
      {side.token && <TokenFacts info={side.token.info} verdict={side.verdict} keyAndProject={side.key} onKey={side.setKey} onForget={side.forget} />}
      {side.unrestricted && (
        <p class="notice" role="status">
          <strong>This token has no permissions claim, and so it allows everything.</strong> Type a claim below to see what a token with it allows.
        </p>
      )}
      <Editor
        label={props.name}
        text={side.text}
        onChange={side.type}
        onPaste={(text) => void side.open(text)}
        diagnostics={side.diagnostics}
        marks={props.marks}
        handle={(editor) => (side.editor.current = editor)}
      />
      <div class="problems">
        <p class="small" role="status">
          {side.unavailable ? (
            <span class="wrong">{side.unavailable}</span>
          ) : side.failure ? (
            <strong class="wrong">✗ Mistakes. The whole claim is refused, and allows nothing.</strong>
          ) : side.problems.length > 0 ? (
            `⚠ ${count(side.problems.length + side.hidden, "finding")} in ${count(side.rules ?? 0, "rule")}. The claim is valid, but it may not say what was meant.`
          ) : side.rules !== undefined && !side.unrestricted ? (
            `✓ No mistakes. ${count(side.rules, "rule")}.`
          ) : (
            ""
          )}
        </p>
        {shown.length > 0 && (
          <ul>
            {shown.map((problem) => (
              <li key={problem.key} class={problem.kind}>
                <button type="button" class="link" onClick={() => side.editor.current?.show(problem.from, true)}>
                  Line {problem.line}
                </button>
                <span>{problem.message}</span>
                {problem.fix && (
                  <button type="button" class="do" aria-label={`Fix it: ${problem.fix.summary}`} onClick={problem.fix.apply}>
                    Fix it
                  </button>
                )}
                {(problem.fix || problem.effect) && (
                  <span class="quiet small">
                    {problem.fix && sentence(problem.fix.summary)} {problem.effect}
                  </span>
                )}
              </li>
            ))}
          </ul>
        )}
        {side.problems.length > shown.length && (
          <button type="button" class="link" onClick={() => setAll(true)}>
            Show all {side.problems.length}
          </button>
        )}
      </div>
    </Card>
  );
}

function App({ call, form, permissions, initial }: { call: Call; form: string; permissions: PermissionInfo[]; initial: Initial }) {
  const onLink = (link: string): void => {
    decodeLink(link).then(show, (err: Error) => first.setOpened({ message: err.message, wrong: true }));
  };
  const first = useSide(call, initial.shared.claim ?? "", initial.hint, onLink, () => {
    // The question about the example means nothing for another claim.
    if (JSON.stringify(question) === JSON.stringify(exampleQuestion)) setAsked(false);
  });
  const second = useSide(call, initial.shared.other ?? "", "The claim to compare with.", onLink);
  const [comparing, setComparing] = useState(initial.shared.other !== undefined);
  const [asking, setAsking] = useState<Form>(() => formOf(initial.shared.question ?? exampleQuestion));
  const [asked, setAsked] = useState(initial.shared.question !== undefined);
  const [named, setNamed] = useState({ target: "", title: "" }); // what the matrix calls a target
  const [added, setAdded] = useState<Target[]>(initial.shared.rows ?? []);
  const [picked, setPicked] = useState<TreeRow | null>(null);
  const [sharing, setSharing] = useState(false);
  const [theme, setTheme] = useState(initial.kept?.theme ?? "system");
  const [keeping, setKeeping] = useState(initial.kept !== null && initial.own);
  const storing = useRef(initial.own); // what a link or the command line brought replaces nothing that is kept
  const [dropping, setDropping] = useState(false);
  const [narrowed, setNarrowed] = useState("");

  const sides = comparing ? [first, second] : [first];
  const names = comparing ? ["First claim", "Second claim"] : ["Claim"];

  const show = (shared: Shared): void => {
    const put = (side: Side, claim: string | null): void => {
      side.forget();
      side.put(claim ?? "", claim === null);
      side.setOpened({ message: "Read from a link. A link holds no token.", wrong: false });
    };
    put(first, shared.claim);
    if (shared.other !== undefined) put(second, shared.other);
    setComparing(shared.other !== undefined);
    setAdded(shared.rows ?? []);
    setAsked(shared.question !== undefined);
    if (shared.question) setAsking(formOf(shared.question));
  };

  // What the command line named, and a link that is opened in this page.
  useEffect(() => {
    if (initial.shared.claim === null) first.put("", true);
    if (initial.shared.other === null) second.put("", true);
    initial.inputs.slice(0, 2).forEach((input, i) => void (i === 0 ? first : second).open(input.text, input.name));
    if (initial.inputs.length > 1) setComparing(true);
    if (initial.problem) first.setOpened({ message: initial.problem, wrong: true });
    const onHash = (): void => {
      if (isLink(location.hash)) onLink(location.hash);
    };
    addEventListener("hashchange", onHash);
    return () => removeEventListener("hashchange", onHash);
  }, []);

  // A file that is dropped anywhere is read.
  const latest = useRef({ first, second });
  latest.current = { first, second };
  useLayoutEffect(() => {
    const over = (event: DragEvent): void => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      setDropping(true);
    };
    const leave = (event: DragEvent): void => {
      if (!event.relatedTarget) setDropping(false);
    };
    const drop = (event: DragEvent): void => {
      setDropping(false);
      const file = event.dataTransfer?.files[0];
      if (!file) return;
      event.preventDefault();
      const onSecond = (event.target as Element | null)?.closest?.(".claim-2");
      void file.text().then((text) => (onSecond ? latest.current.second : latest.current.first).open(text, file.name));
    };
    // A text that is pasted beside the editors is read too.
    const paste = (event: ClipboardEvent): void => {
      const text = event.clipboardData?.getData("text/plain") ?? "";
      const at = event.target instanceof Element ? event.target : document.body;
      if (text.trim() === "" || at.closest("input, textarea, .editor, dialog")) return;
      void (at.closest(".claim-2") ? latest.current.second : latest.current.first).open(text);
    };
    addEventListener("paste", paste);
    addEventListener("dragover", over);
    addEventListener("dragleave", leave);
    addEventListener("drop", drop, true);
    return () => {
      removeEventListener("paste", paste);
      removeEventListener("dragover", over);
      removeEventListener("dragleave", leave);
      removeEventListener("drop", drop, true);
    };
  }, []);

  useEffect(() => {
    if (theme === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = theme;
  }, [theme]);

  const question = questionOf(asking);
  const shared: Shared = {
    claim: first.claim,
    ...(comparing && { other: second.claim }),
    ...(asked && { question }),
    ...(added.length > 0 && { rows: added }),
  };
  const sharedText = keeping ? JSON.stringify(shared) : "";
  useEffect(() => {
    if (!storing.current) return;
    try {
      if (keeping) localStorage.setItem(storageKey, JSON.stringify({ theme, shared } satisfies Kept));
      else if (initial.kept !== null || localStorage.getItem(storageKey) !== null) localStorage.removeItem(storageKey);
    } catch {
      setKeeping(false); // The browser has no room, or does not allow it.
    }
  }, [keeping, keeping && theme, sharedText]);

  const handles = sides.map((side) => side.handle).filter((handle): handle is Handle => handle !== undefined);
  const ready = handles.length === sides.length;
  const key = handles.join(" ");
  const outlineAsked = useAsked(ready ? async () => ({ ...(await call("outline", { claims: handles })), key, claims: handles }) : null, [key, ready]);
  const newest: Outline | undefined = outlineAsked.state === "answer" ? outlineAsked.answer : undefined;

  // While a change of the claim is being read, what was there stays, so that nothing jumps. It stays for a
  // moment only, and not if the claim has a mistake.
  const unavailable = sides.find((side) => side.unavailable)?.unavailable ?? (outlineAsked.state === "refused" ? outlineAsked.mistake.message : undefined);
  const broken = unavailable !== undefined || sides.some((side) => side.failure);
  const before = useRef<{ outline?: Outline; shown?: Shown }>({});
  if (broken || before.current.outline?.claims.length !== sides.length) before.current = {};
  if (newest) before.current.outline = newest;
  const outline = newest ?? before.current.outline;

  // A brief explanation has the answer and why. What was asked ahead is kept, because it is probably asked next.
  const questionText = JSON.stringify(question);
  const ahead = useRef<{ of: string; answer: Promise<Explanation[]> }>({ of: "", answer: Promise.resolve([]) });
  const nameOf = (q: Question): string => JSON.stringify([handles, q.action, q.target]);
  const explain = (q: Question): Promise<Explanation[]> => {
    const of = nameOf(q);
    if (ahead.current.of !== of) {
      const answer = Promise.all(handles.map((claim) => call("explain", { claim, ...q, outline: handles, brief: true })));
      answer.catch(() => (ahead.current.of = "")); // and another time it is asked again
      ahead.current = { of, answer };
    }
    return ahead.current.answer;
  };
  const [result, setResult] = useState<Result>({ of: "" });
  const of = ready && asked ? nameOf(question) : "";
  const wanted = useRef(of);
  wanted.current = of;
  useLayoutEffect(() => {
    if (!of || result.of === of) return;
    explain(question).then(
      (explanations) => wanted.current === of && setResult({ of, explanations }),
      (err: unknown) => wanted.current === of && setResult({ of, mistake: toMistake(err) }),
    );
  }, [of]);
  const explanations = of && result.of === of ? result.explanations : undefined;
  const shown = useMemo(() => (explanations ? { claims: handles, question, explanations } : undefined), [explanations]);
  if (shown) before.current.shown = shown;
  const written = useAsked(of ? null : () => call("question", question), [of === "", questionText]);
  const refused = of ? (result.of === of ? result.mistake : undefined) : written.state === "refused" ? written.mistake : undefined;
  const invalid = refused?.code === "question" ? refused : undefined;

  const differs = useAsked(comparing && ready ? () => call("diff", { before: handles[0]!, after: handles[1]! }) : null, [key, ready, comparing]);
  const diff = differs.state === "answer" ? differs.answer : undefined;
  const changed = useMemo(() => {
    const rows = new Map<number, "gained" | "lost" | "both">();
    for (const { row, change } of diff?.changes ?? []) {
      if (row >= 0) rows.set(row, (rows.get(row) ?? change) === change ? change : "both");
    }
    return rows;
  }, [diff]);

  // What is lit in the editors and the tree. It follows the answer, which is painted first.
  const [lit, setLit] = useState<Explanation[] | undefined>(undefined);
  useEffect(() => setLit(explanations), [explanations]);

  // What is lit in each editor.
  const marks = useMemo(
    () =>
      [0, 1].map((i): Mark[] => {
        const all: Mark[] = [];
        for (const change of diff?.changes ?? []) {
          const rule = (i === 0 ? change.before : change.after).rule;
          if (rule) all.push({ from: rule.place.from, to: rule.place.to, kind: change.change });
        }
        const place = (picked?.claims[i]?.own ?? picked?.claims[i]?.map)?.place;
        if (place) all.push({ from: place.from, to: place.to, kind: "picked" });
        const decides = lit?.[i]?.rule?.place;
        if (decides) all.push({ from: decides.from, to: decides.to, kind: "decides" });
        return all;
      }),
    [diff, picked, lit],
  );
  useEffect(() => {
    lit?.forEach(({ rule }, i) => rule && sides[i]?.editor.current?.show(rule.place.from, false));
  }, [lit]);
  useEffect(() => setPicked(null), [key]);
  useEffect(() => setNarrowed(""), [key]);

  // A question of the matrix is shown together with its answer, but after 100 ms even without it.
  const turn = useRef(0);
  const ask = ({ action, target }: Question, title = ""): void => {
    const next = { action, target }; // an example has more than that
    const mine = ++turn.current;
    let isShown = false;
    const show = (): void => {
      if (isShown || turn.current !== mine) return;
      isShown = true;
      setAsking((old) => formOf(next, old));
      setAsked(true);
      setNamed({ target: JSON.stringify(next.target), title });
    };
    if (!ready) {
      show();
      return;
    }
    const name = nameOf(next);
    explain(next).then((explanations) => {
      if (turn.current === mine) setResult({ of: name, explanations });
      show();
    }, show);
    setTimeout(show, 100);
  };
  const tryChange = (change: Change): void => {
    if (change.kind !== "claim") return;
    const { from, to, insert } = change.edit;
    second.forget();
    second.put(first.text.slice(0, from) + insert + first.text.slice(to));
    second.setOpened({ message: "The first claim with the change. Keep the one that you want.", wrong: false });
    setComparing(true);
  };
  const compare = (): void => {
    if (!comparing && second.text === "" && !second.unrestricted) {
      second.put(first.text, first.unrestricted);
      second.setOpened({ message: "A copy of the first claim. Change it, or paste another one.", wrong: false });
    }
    setComparing(!comparing);
  };
  const showRule = (i: number, rule: RuleRef): void => sides[i]!.editor.current?.show(rule.place.from, true);
  const apply = (i: number, change: Change): void => {
    if (change.kind === "question") ask({ action: question.action, target: change.target });
    else sides[i]!.editor.current?.apply(change.edit);
  };
  const pickRow = (row: TreeRow): void => {
    setPicked(row);
    row.claims.forEach((claim, i) => {
      const place = (claim.own ?? claim.map ?? claim.inherits)?.place;
      if (place) sides[i]?.editor.current?.show(place.from, false);
    });
  };
  const narrow = async (): Promise<void> => {
    try {
      const { text } = await call("narrow", { claims: handles });
      second.put((await call("format", { text })).text);
    } catch (err) {
      const mistake = err instanceof Refusal ? err.failure.error : undefined;
      setNarrowed(mistake ? [mistake.problem ?? mistake.message, mistake.remedy ?? ""].filter(Boolean).map(sentence).join(" ") : String(err));
    }
  };

  // These have many nodes, and so they are made anew only if they show something else.
  const matrix = useMemo(
    () =>
      outline && (
        <Matrix
          call={call}
          outline={outline}
          permissions={permissions}
          names={comparing ? names : []}
          added={added}
          question={asked ? question : null}
          onPick={ask}
          onAhead={(next) => void (ready && explain(next).catch(() => {}))}
          onRemove={(index) => setAdded((rows) => rows.filter((_, i) => i !== index))}
        />
      ),
    [outline, added, asked, questionText, ready, key],
  );
  const tree = useMemo(
    () =>
      outline && (
        <Tree
          call={call}
          outline={outline}
          lit={outline.claims.map((_, i) => lit?.[i]?.rule)}
          ofUser={lit?.[0]?.actsOn === "user"}
          unrestricted={sides.map((side) => side.unrestricted)}
          names={comparing ? names : []}
          changed={changed}
          picked={picked?.row ?? -1}
          onPick={pickRow}
        />
      ),
    [outline, lit, first.unrestricted, second.unrestricted, comparing, changed, picked],
  );

  const states = sides.map((side) => side.verdict.state);
  const worst = sides[states.includes("refused") ? states.indexOf("refused") : Math.max(0, states.indexOf("not verified"))]!.verdict;
  const waiting = unavailable ? (
    <p class="empty wrong">{unavailable}</p>
  ) : broken ? (
    <p class="empty">The claim has a mistake, and so it is refused whole. Mend it to see what it allows.</p>
  ) : (
    <p class="empty quiet">Reading…</p>
  );
  const seen = shown ?? before.current.shown;

  const claimCard = (i: 0 | 1) => <Claim key={i} side={[first, second][i]!} name={names[i]!} area={`claim-${i + 1}`} mark={comparing} marks={marks[i]!} />;
  const differenceCard = (
    <Card area="difference" title="Difference">
      {!ready ? (
        waiting
      ) : differs.state === "refused" ? (
        <p class="wrong">{differs.mistake.message}</p>
      ) : diff ? (
        <Comparison diff={diff} onAsk={ask} onNarrow={() => void narrow()} />
      ) : (
        <p class="empty quiet">Comparing…</p>
      )}
      {narrowed && (
        <p class="wrong" role="alert">
          {narrowed}
        </p>
      )}
    </Card>
  );
  const treeCard = (
    <Card area="tree-card" title="Scopes">
      {tree ?? waiting}
    </Card>
  );
  const matrixCard = (
    <Card area="matrix-card" title="Matrix">
      <p class="legend small quiet">
        <span>
          <b class="yes">✓</b> yes
        </span>
        <span>
          <b class="no">✗</b> no
        </span>
        <span>
          <b class="unsure">?</b> undetermined: something unknown decides, so denied
        </span>
        <span>– cannot be asked</span>
        {comparing && <span>
          <b class="changed">+ − ≠</b> changed from the first claim to the second
        </span>}
        <span>Choose a cell to see why.</span>
      </p>
      {matrix ?? waiting}
    </Card>
  );
  const questionCard = (
    <Card area="question" title="Question and answer">
      <Ask
        call={call}
        outline={outline}
        permissions={permissions}
        form={asking}
        mistake={invalid}
        added={added.some((target) => JSON.stringify(target) === JSON.stringify(question.target))}
        onChange={(next) => {
          turn.current++; // a question of the matrix that waits is not shown any more
          setAsking(next);
          setAsked(true);
        }}
        onAdd={(target) => setAdded([target, ...added])}
      />
      {invalid ? (
        <p class="wrong" role="alert">
          {describeQuestion(invalid)}
        </p>
      ) : (
        <>
          {asked && (
            <p class="asks">
              May the token use <code>{question.action}</code> on {describe(question.target, named.target === JSON.stringify(question.target) ? named.title : "")}?
            </p>
          )}
          {!asked ? (
            <p class="empty quiet">Choose a cell of the matrix, or pick a question above.</p>
          ) : refused ? (
            <p class="wrong">{refused.message}</p>
          ) : !seen ? (
            waiting
          ) : (
            <div class="answers" aria-busy={!shown} inert={!shown}>
              {seen.explanations.map((explanation, i) => (
                <Answer
                  key={i}
                  call={call}
                  claim={seen.claims[i]!}
                  outline={seen.claims}
                  question={seen.question}
                  explanation={explanation}
                  {...(comparing ? { title: names[i]! } : { onTry: tryChange })}
                  onShow={(rule) => showRule(i, rule)}
                  onChange={(change) => apply(i, change)}
                  onAsk={ask}
                />
              ))}
            </div>
          )}
          <Written rendered={shown?.explanations[0] ?? answerOf(written) ?? seen?.explanations[0]} />
        </>
      )}
    </Card>
  );

  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById("title-matrix-card")?.focus()}>
        Skip to the matrix
      </button>
      <header class="top">
        <h1>
          connectperms <span>explorer</span>
        </h1>
        <p class="quiet">See what a token may do, and why.</p>
        <div class="tools">
          <button type="button" aria-pressed={comparing} onClick={compare}>
            Compare two claims
          </button>
          <button type="button" onClick={() => setSharing(true)}>
            Share
          </button>
          <label>
            <span class="hidden">Colours</span>
            <select value={theme} onChange={(event) => setTheme(event.currentTarget.value)}>
              <option value="system">Colours of the system</option>
              <option value="light">Light</option>
              <option value="dark">Dark</option>
            </select>
          </label>
          <label class="check" title="The claims, the question and the colours, in this browser. Never a token.">
            <input
              type="checkbox"
              checked={keeping}
              onChange={(event) => {
                storing.current = true;
                setKeeping(event.currentTarget.checked);
              }}
            />
            Keep in this browser
          </label>
        </div>
      </header>
      <div class={`strip ${worst.state.replace(" ", "-")}`} role="region" aria-label="Verification">
        <Badge verdict={worst} />
        <span>
          {worst.state === "refused" && "A service refuses this token, whatever its claim says. "}
          {worst.state === "not verified" && "What you see was read and not verified. "}
          {worst.text}
        </span>
      </div>
      <main class={comparing ? "comparing" : ""}>
        {comparing ? (
          <>
            <div class="claims">
              {claimCard(0)}
              {claimCard(1)}
            </div>
            <div class="column whole">
              {differenceCard}
              {matrixCard}
            </div>
            <div class="column">{treeCard}</div>
            <div class="column">{questionCard}</div>
          </>
        ) : (
          <>
            <div class="column">
              {claimCard(0)}
              {treeCard}
            </div>
            <div class="column">
              {matrixCard}
              {questionCard}
            </div>
          </>
        )}
        <section class="card help" aria-labelledby="title-help">
          <details open>
            <summary>
              <h2 id="title-help">How to read a claim</h2>
            </summary>
            <p>
              A claim maps <em>scopes</em> to <em>grants</em>. A scope says what is meant: an integration, a credential of it, or a configuration of a
              credential. A grant is <code>true</code> (everything), <code>false</code> (nothing), or a list of permissions.
            </p>
            <p>
              <strong>The most specific scope that covers a target decides alone.</strong> Its grant replaces the others. It does not add to them. A
              configuration is more specific than a credential, and a credential than an integration. On one level an ID comes before an external ID, and that
              before <code>*</code>, which is any other.
            </p>
            <p>
              What no scope grants is denied. Where an identifier is unknown and could make the answer a no, the answer is undetermined, and that is denied too.
            </p>
          </details>
        </section>
      </main>
      <footer class="quiet small">
        {form === "static"
          ? "All of this happens in your browser. The page sends nothing that you paste to anybody."
          : "What you paste goes to the command that you started on this computer, and nowhere else."}
        {initial.version && ` Version ${initial.version}.`}
      </footer>
      {dropping && (
        <div class="drop" aria-hidden="true">
          Drop the file to read it
        </div>
      )}
      {sharing && <Share shared={shared} fromToken={sides.some((side) => side.token?.info.kind === "token")} form={form} onClose={() => setSharing(false)} />}
    </>
  );
}

/** What is asked, and what the library says. */
interface Shown {
  claims: Handle[];
  question: Question;
  explanations: Explanation[];
}
interface Result {
  of: string; // the name of the question
  explanations?: Explanation[];
  mistake?: Mistake;
}

interface Initial {
  shared: Shared;
  hint: string;
  inputs: { name: string; text: string }[];
  kept: Kept | null;
  own: boolean; // neither a link nor the command line brought the claim
  problem: string;
  version: string;
}

async function begin(): Promise<void> {
  const root = document.getElementById("app")!;
  const form = document.querySelector<HTMLMetaElement>("meta[name=form]")!.content;
  const call = connect(form);
  const kept = readKept();
  const initial: Initial = {
    shared: { claim: example, question: exampleQuestion },
    hint: "This is an example. Paste your own.",
    inputs: [],
    kept,
    own: true,
    problem: "",
    version: "",
  };
  try {
    const [started, { permissions }] = await Promise.all([call("start", {}), call("vocabulary", {})]);
    initial.version = started.version;
    initial.own = !isLink(location.hash) && started.inputs.length === 0;
    if (isLink(location.hash)) {
      try {
        initial.shared = await decodeLink(location.hash);
        initial.hint = "Read from a link. A link holds no token.";
      } catch (err) {
        initial.problem = (err as Error).message;
      }
    } else if (started.inputs.length > 0) {
      initial.shared = { claim: "{}" };
      initial.inputs = started.inputs;
    } else if (kept?.shared && (kept.shared.claim === null || typeof kept.shared.claim === "string")) {
      initial.shared = kept.shared;
      initial.hint = "Kept in this browser since the last time.";
    }
    root.replaceChildren();
    render(<App call={call} form={form} permissions={permissions} initial={initial} />, root);
  } catch (err) {
    root.replaceChildren();
    render(
      <p class="wrong fatal" role="alert">
        The page cannot start. {err instanceof Error ? err.message : String(err)}
      </p>,
      root,
    );
  }
}

void begin();
