// The answer to a question, and why it is so.

import { useEffect, useState } from "preact/hooks";
import type { Call, Change, Explanation, Handle, RuleRef, Step } from "./api.ts";
import { answerOf, useAsked } from "./hooks.ts";
import type { Question } from "./matrix.tsx";
import { covers, grantText, sentence, signs } from "./words.ts";

const identifiers: Record<string, string> = {
  integration: "name of the integration",
  "credential.id": "credential's ID",
  "credential.externalId": "credential's external ID",
  "configuration.id": "configuration's ID",
  "configuration.externalId": "configuration's external ID",
};
const named = (unknown: string[] = []): string => unknown.map((u) => identifiers[u] ?? u).join(" and the ");

const rule = (ref: RuleRef) => <code>{ref.text}</code>;

// What became of a rule: a sign, a word, and a sentence.
function outcome(step: Step): { sign: string; word: string; says: preact.ComponentChildren } {
  switch (step.outcome) {
    case "decides":
      return { sign: "➤", word: "decides", says: "It is the most specific rule that covers the target." };
    case "overridden":
      return { sign: "↑", word: "overridden", says: <>It covers the target too. {step.by ? rule(step.by) : "Another rule"} is more specific and replaces it.</> };
    case "undetermined":
      return { sign: "?", word: "may decide", says: <>It decides, unless {step.by ? rule(step.by) : "another rule"} applies, which denies.</> };
    case "conditional":
      return { sign: "?", word: "may apply", says: <>It applies if the {named(step.unknown)} is what it names. That is not known.</> };
    case "no_match":
      return { sign: "≠", word: "does not apply", says: `It is about another ${step.level ?? "target"}.` };
    case "deeper":
      return { sign: "↓", word: "does not apply", says: "It is about something deeper than the question." };
  }
}

// why says in a sentence or two why the answer is what it is.
function why({ answer, rule: decides, unknown }: Explanation, action: string): preact.ComponentChildren {
  if (answer === "undetermined") {
    return `It depends on the ${named(unknown)}, which is not known. A rule denies for some values of it, and so the answer is no.`;
  }
  if (!decides) {
    return answer === "yes"
      ? "The token has no permissions claim, and so it allows everything."
      : "No rule covers the target, and what no rule grants is denied.";
  }
  const { text } = grantText(decides.grants);
  return answer === "yes" ? (
    <>
      The rule {rule(decides)} decides. It is for {covers(decides.path)}, and it grants {action}.
    </>
  ) : (
    <>
      The rule {rule(decides)} decides. It is for {covers(decides.path)}, and it grants {text === "nothing" ? "nothing" : `${text}, but not ${action}`}.
    </>
  );
}

interface Props {
  call: Call;
  claim: Handle;
  outline: Handle[];
  question: Question;
  explanation: Explanation;
  title?: string;
  onShow: (rule: RuleRef) => void;
  onChange: (change: Change) => void;
  onAsk: (question: Question, title: string) => void;
  onTry?: (change: Change) => void; // compares the claim before and after it
}

/** Answer shows an answer and its explanation. */
export function Answer(props: Props) {
  const { explanation, question } = props;
  const { answer } = explanation;
  const word = { yes: "Yes", no: "No", undetermined: "Undetermined, so no" }[answer];
  return (
    <div class="answer">
      {props.title && <h3>{props.title}</h3>}
      <p class={`verdict ${answer}`} aria-live="polite">
        <strong>
          <span aria-hidden="true">{signs[answer]} </span>
          {word}.
        </strong>{" "}
        <span>{why(explanation, question.action)}</span>
      </p>
      <Why {...props} />
    </div>
  );
}

function Steps({ steps, onShow }: { steps: Step[]; onShow: (rule: RuleRef) => void }) {
  return (
    <ol class="steps">
      {steps.map((step) => {
        const { sign, word, says } = outcome(step);
        const grant = grantText(step.rule.grants);
        return (
          <li key={step.rule.rule} class={"is-" + step.outcome}>
            <button type="button" onClick={() => onShow(step.rule)} title="Show this rule in the claim">
              <span class="outcome">
                <span aria-hidden="true">{sign} </span>
                {word}
              </span>
              <span class="rule">
                <code>{step.rule.text}</code>
                <span class={`pill ${grant.kind}`}>
                  <span aria-hidden="true">{grant.sign} </span>grants {grant.text}
                </span>
              </span>
              <span class="quiet small">
                For {covers(step.rule.path)}. {says}
              </span>
            </button>
          </li>
        );
      })}
    </ol>
  );
}

// The rules that do not apply are many and say little. They are asked for when somebody wants to see them.
function Others({ call, claim, outline, question, explanation, onShow }: Props) {
  const { omitted } = explanation;
  const [open, setOpen] = useState(false);
  const asked = useAsked(open ? () => call("explain", { claim, ...question, outline }) : null, [open, claim, outline.join(" "), JSON.stringify(question)]);
  const whole = asked.state === "answer" ? asked.answer : undefined;
  if (omitted === 0) return null;
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {omitted.toLocaleString("en")} {omitted === 1 ? "rule does" : "rules do"} not apply
      </summary>
      {open && !whole && <p class="quiet small">Reading…</p>}
      {whole && <Steps steps={whole.steps.filter((step) => step.outcome === "no_match" || step.outcome === "deeper")} onShow={onShow} />}
      {whole && whole.omitted > 0 && <p class="quiet small">and {whole.omitted.toLocaleString("en")} more.</p>}
    </details>
  );
}

// What else a change of the claim changes. It takes a little longer, and waits until the answer has been shown.
function Effects(props: Props & { change: Change; number: number }) {
  const { call, claim, question, number } = props;
  const [ready, setReady] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setReady(true), 200);
    return () => clearTimeout(timer);
  }, []);
  const effects = answerOf(useAsked(ready ? () => call("effects", { claim, ...question, change: number }) : null, [ready]));
  if (!effects) return <span class="quiet small effects">Looking for other answers that change…</span>;
  if (effects.answers === 0) return <span class="quiet small effects">No other answer of the matrix changes.</span>;
  const shown = effects.first.slice(0, 3);
  return (
    <span class="small effects">
      {effects.answers === 1 ? "1 other answer changes" : `${effects.answers.toLocaleString("en")} other answers change`} too:{" "}
      {shown.map((row, i) => (
        <span key={row.scope}>
          {i > 0 && "; "}
          {row.permissions.join(", ")} on{" "}
          <button type="button" class="link" onClick={() => props.onAsk({ action: row.permissions[0]!, target: row.target }, row.title)}>
            {row.scope || row.title}
          </button>
        </span>
      ))}
      {effects.rows > shown.length && `; and ${(effects.rows - shown.length).toLocaleString("en")} more ${effects.rows - shown.length === 1 ? "row" : "rows"}`}.{" "}
      {props.onTry && (
        <button type="button" class="link" onClick={() => props.onTry!(props.change)}>
          Compare before and after
        </button>
      )}
    </span>
  );
}

function Why(props: Props) {
  const { explanation } = props;
  const Heading = props.title ? "h4" : "h3"; // one level below what is above it
  return (
    <div class="why">
      {explanation.steps.length > 0 && (
        <>
          <Heading class="sub">The rules, the most specific first</Heading>
          <Steps steps={explanation.steps} onShow={props.onShow} />
        </>
      )}
      <Others {...props} />
      {!explanation.allowed && (
        <>
          <Heading class="sub">What would change the answer</Heading>
          {explanation.changes.length === 0 && <p class="quiet">{explanation.hint ? sentence(explanation.hint) : "The page found no single change that would."}</p>}
          <ul class="changes">
            {explanation.changes.map((change, number) => (
              <li key={change.summary}>
                <span>
                  {sentence(change.summary)}
                  {change.kind === "claim" && <Effects {...props} key={JSON.stringify([props.claim, props.question])} change={change} number={number} />}
                </span>
                <button
                  type="button"
                  class={change.kind === "claim" ? "do" : ""}
                  onClick={() => props.onChange(change)}
                  aria-label={`${change.kind === "claim" ? "Change the claim" : "Ask it so"}: ${change.summary}`}
                >
                  {change.kind === "claim" ? "Change the claim" : "Ask it so"}
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  );
}
