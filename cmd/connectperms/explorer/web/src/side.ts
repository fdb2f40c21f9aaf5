// A claim on the page: its text, what was read of it, and the token that it came from.

import type { Diagnostic } from "@codemirror/lint";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type Call, type Failure, type Finding, type Handle, type Mistake, Refusal, type TokenInfo } from "./api.ts";
import type { EditorHandle } from "./editor.tsx";
import { answerOf, toMistake, useAsked } from "./hooks.ts";
import { isLink } from "./link.ts";
import type { Key, Opened, Verdict } from "./open.tsx";
import { plain, sentence } from "./words.ts";

type Reading = { handle: Handle; rules: number } | { failure: Failure };

interface Token {
  text: string; // stays in memory, for another key. It goes into no link and no storage.
  claim: string | null; // as it was put into the editor
  info: TokenInfo;
}

// A text that begins as { and a quotation mark or white space do in base64url is a token, even if it is damaged.
const beginsAsToken = /^ey[IAJo][\w-]{8}/;

function describeMistake({ found, problem, remedy, message }: Mistake): string {
  if (!problem) return sentence(message);
  return sentence(`${found || "the claim"} ${problem}`) + (remedy ? " " + sentence(remedy) : "");
}

export interface Problem {
  key: string;
  kind: "mistake" | "finding";
  message: string;
  line: number;
  from: number;
  to: number;
  fix?: { summary: string; apply: () => void } | undefined;
  effect?: string; // what the fix changes
}

// useSettled debounces a large text. It returns a small one at once.
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  const small = text.length < 50_000;
  useEffect(() => {
    if (small) return;
    const timer = setTimeout(() => setSettled(text), 150);
    return () => clearTimeout(timer);
  }, [text]);
  if (small && settled !== text) setSettled(text);
  return small ? text : settled;
}

type Verification = TokenInfo["verification"];

/** verify verifies a token. If that cannot be done, the message says why. */
async function verify(call: Call, text: string, { key, project }: Key): Promise<Verification> {
  try {
    return (await call("token", { text, key, project: project.trim() })).verification;
  } catch (err) {
    return { state: "not verified", message: toMistake(err).message };
  }
}

export type Side = ReturnType<typeof useSide>;

export function useSide(call: Call, first: string, hint: string, onLink: (link: string) => void, onOpened?: () => void) {
  const [text, setText] = useState(first);
  const [unrestricted, setUnrestricted] = useState(false);
  const [token, setToken] = useState<Token | null>(null);
  const [key, setKey] = useState<Key>({ key: "", project: "" });
  const [opened, setOpened] = useState<Opened>({ message: hint, wrong: false });
  const editor = useRef<EditorHandle | null>(null);
  const current = useRef({ text, opening: 0 });
  current.current.text = text;

  const settled = useSettled(text);
  const asked = useAsked<Reading>(async () => {
    try {
      return await call("parse", unrestricted ? { unrestricted } : { text: settled });
    } catch (err) {
      if (err instanceof Refusal) return { failure: err.failure };
      throw err;
    }
  }, [settled, unrestricted]);
  const reading = asked.state === "answer" && settled === text ? asked.answer : undefined;
  const handle = reading && "handle" in reading ? reading.handle : undefined;
  const failure = reading && "failure" in reading ? reading.failure : undefined;
  const unavailable = asked.state === "refused" ? asked.mistake.message : undefined;

  // put shows a text in the editor.
  const put = (next: string, none = false): void => {
    current.current.text = next;
    setText(next);
    setUnrestricted(none);
    editor.current?.replace(next);
  };

  /** open takes what was pasted: a claim, a payload, a token or a link. */
  const open = async (given: string, name?: string): Promise<void> => {
    const read = name ? `Read ${plain(name)} as` : "Read as";
    const turn = ++current.current.opening;
    const late = (): boolean => turn !== current.current.opening;
    const pasted = given.replace(/^\uFEFF/, "").trim();
    if (isLink(pasted)) {
      onLink(pasted);
      return;
    }
    const layout = async (claim: string): Promise<string> => {
      if (claim.includes("\n") || claim.length < 60) return claim;
      return call("format", { text: claim }).then(
        (answer) => answer.text,
        () => claim,
      );
    };
    let looksLike: Failure["looksLike"] = "claim";
    try {
      await call("parse", { text: pasted });
    } catch (err) {
      if (!(err instanceof Refusal)) throw err;
      looksLike = err.failure.looksLike ?? "claim";
    }
    const bearer = pasted.replace(/^(?:authorization:\s*)?bearer\s+/i, "");
    if (looksLike === "claim" && bearer === pasted && !beginsAsToken.test(pasted)) {
      const laidOut = await layout(pasted);
      if (late()) return;
      setToken(null);
      setOpened({ message: `${read} a claim.`, wrong: false });
      put(laidOut);
      onOpened?.();
      return;
    }
    try {
      const info = await call("token", { text: bearer });
      const claim = info.claim === null ? null : await layout(info.claim);
      if (late()) return;
      setToken({ text: bearer, claim, info });
      const what = info.kind === "token" ? "a token" : "a payload";
      setOpened({
        message: claim === null ? `${read} ${what}. It has no permissions claim.` : `${read} ${what}. Its claim is in the editor.`,
        wrong: false,
      });
      put(claim ?? "", claim === null);
      onOpened?.();
    } catch (err) {
      if (late()) return;
      // A token that cannot be read does not stay on the page.
      const inEditor = current.current.text.trim() === pasted;
      if (inEditor) put("");
      setToken(null);
      const why = sentence(err instanceof Error ? err.message : String(err));
      setOpened({ message: inEditor ? why : why + " The editor still has what it had before.", wrong: true });
    }
  };

  // Open a token or a payload that was put into the editor.
  const looksLike = failure?.looksLike;
  const isTokenOrPayload = looksLike === "token" || looksLike === "payload" || (failure !== undefined && beginsAsToken.test(text.trim()));
  useEffect(() => {
    if (isTokenOrPayload) void open(text);
  }, [failure]);

  // The key and the project verify the token, and a token expires while it is shown.
  const [now, setNow] = useState(0);
  useEffect(() => {
    if (!token) return;
    const timer = setInterval(() => setNow((n) => n + 1), 10_000);
    return () => clearInterval(timer);
  }, [token]);
  const verifying = useAsked(
    token && token.info.kind === "token" && (key.key.trim() || key.project.trim())
      ? async () => ({ token, key, at: now, result: await verify(call, token.text, key) })
      : null,
    [token, key, now],
  );
  let verdict: Verdict;
  if (!token) verdict = { state: "not verified", text: "A claim has no signature, so nobody knows whether a token has it." };
  else if (unrestricted !== (token.claim === null) || (token.claim !== null && text !== token.claim)) {
    verdict = { state: "not verified", text: "The claim was changed after the token was read." };
  } else if (token.info.kind === "payload") {
    verdict = { state: "not verified", text: "A payload without its token has no signature." };
  } else {
    // While the same token is verified again with the same key, the answer before it stays for one period. After that,
    // the token may have expired.
    const answer = answerOf(verifying);
    const isCurrent = answer?.token === token && answer.key === key && now - answer.at <= 1;
    const waiting = { ...token.info.verification, message: "the token is being verified", remedy: undefined };
    const known = isCurrent ? answer.result : verifying.state === "waiting" ? waiting : token.info.verification;
    verdict = { state: known.state, text: sentence(known.message), remedy: known.remedy && !known.message.includes(known.remedy) ? sentence(known.remedy) : undefined };
  }

  const lint = useAsked(handle !== undefined && !unrestricted ? () => call("lint", { claim: handle }) : null, [handle]);
  const findings = lint.state === "answer" ? lint.answer : undefined;

  const problems = useMemo<Problem[]>(() => {
    const mistakes: Mistake[] = failure && !isTokenOrPayload ? [failure.error, ...(failure.further ?? [])] : [];
    return [
      ...mistakes.map((mistake, i): Problem => {
        const from = mistake.from ?? 0;
        return {
          key: `m${i}`,
          kind: "mistake",
          message: describeMistake(mistake),
          line: mistake.line ?? 1,
          from,
          to: Math.max(mistake.to ?? from, from),
          fix: mistake.fix && {
            summary: mistake.fix.summary,
            apply: () => current.current.text === settled && editor.current?.apply(mistake.fix!.edit),
          },
        };
      }),
      ...(findings?.findings ?? []).map(
        (finding: Finding): Problem => ({
          key: `f${finding.index}`,
          kind: "finding",
          message: sentence(finding.message),
          line: finding.place.line,
          from: finding.place.from,
          to: finding.keyTo > finding.place.from ? finding.keyTo : finding.place.to,
          effect: !finding.fix.hasEdit
            ? finding.fix.summary
            : finding.fix.changesAnswers.length > 0
              ? `It changes answers in ${finding.fix.changesAnswers.join(", ")}.`
              : "It changes no answer.",
          fix: finding.fix.hasEdit
            ? {
                summary: finding.fix.summary,
                apply: () =>
                  void call("fix", { claim: handle!, finding: finding.index }).then(
                    ({ edit }) => current.current.text === settled && editor.current?.apply(edit),
                  ),
              }
            : undefined,
        }),
      ),
    ];
  }, [failure, findings]);

  const diagnostics = useMemo<Diagnostic[]>(
    () =>
      problems.map((problem) => ({
        from: problem.from,
        to: problem.to,
        severity: problem.kind === "mistake" ? "error" : "warning",
        message: problem.message,
        actions: problem.fix ? [{ name: problem.fix.summary, apply: problem.fix.apply }] : [],
      })),
    [problems],
  );

  return {
    text,
    unrestricted,
    token,
    key,
    setKey,
    opened,
    setOpened,
    editor,
    handle,
    failure,
    unavailable,
    verdict,
    problems,
    hidden: Math.max(0, (findings?.total ?? 0) - (findings?.findings.length ?? 0)),
    rules: reading && "rules" in reading ? reading.rules : undefined,
    diagnostics,
    open,
    put,
    type(next: string) {
      if (next !== current.current.text) {
        setUnrestricted(false);
        setText(next);
      }
    },
    clear() {
      current.current.opening++;
      setToken(null);
      setOpened({ message: "", wrong: false });
      put("");
    },
    forget() {
      setToken(null);
      setKey({ key: "", project: "" });
      setOpened({ message: "The token is forgotten. Its claim stays in the editor.", wrong: false });
    },
    // What a link or the storage holds: a claim that can be shown again, and null for a token without the claim.
    claim: unrestricted ? null : text,
  };
}

