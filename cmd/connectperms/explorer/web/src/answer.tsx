// The answer to a question, and why it is so.

import type { Answered, Change, Explanation, Permission, RuleRef, Step } from "./api.ts";
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

// why says in a sentence or two why the answer is what it is. Only an explanation knows what an undetermined
// answer depends on.
function why({ answer, rule: decides, summary }: Answered, action: Permission, explanation?: Explanation): preact.ComponentChildren {
  if (answer === "undetermined") {
    if (!explanation) return sentence(summary ?? "");
    return `It depends on the ${named(explanation.unknown)}, which is not known. A rule denies for some values of it, and so the answer is no.`;
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

/** Answer shows an answer, and below it the explanation, which takes a little longer. */
export function Answer(props: {
  answered: Answered;
  action: Permission;
  explanation: Explanation | undefined;
  current: boolean; // whether the explanation is of this answer, and not of the one before
  title?: string;
  onShow: (rule: RuleRef) => void;
  onChange: (change: Change) => void;
}) {
  const { answered, explanation, current } = props;
  const answer = answered.answer!;
  const word = { yes: "Yes", no: "No", undetermined: "Undetermined, so no" }[answer];
  return (
    <div class="answer">
      {props.title && <h3>{props.title}</h3>}
      <p class={`verdict ${answer}`} aria-live="polite">
        <strong>
          <span aria-hidden="true">{signs[answer]} </span>
          {word}.
        </strong>{" "}
        <span>{why(answered, props.action, current ? explanation : undefined)}</span>
      </p>
      {explanation && (
        <div class="why" inert={!current} aria-busy={!current}>
          <Why explanation={explanation} heading={props.title ? "h4" : "h3"} onShow={props.onShow} onChange={props.onChange} />
        </div>
      )}
    </div>
  );
}

function Why(props: {
  explanation: Explanation;
  heading: "h3" | "h4"; // one level below what is above it
  onShow: (rule: RuleRef) => void;
  onChange: (change: Change) => void;
}) {
  const { explanation, heading: Heading } = props;
  const { steps } = explanation;
  // The rules that do not apply are many and say little, so they come after the others.
  const applying = steps.filter((step) => step.outcome !== "no_match" && step.outcome !== "deeper");
  const others = steps.filter((step) => step.outcome === "no_match" || step.outcome === "deeper");
  const list = (which: Step[]) => (
    <ol class="steps">
      {which.map((step) => {
        const { sign, word, says } = outcome(step);
        const grant = grantText(step.rule.grants);
        return (
          <li key={step.rule.rule} class={"is-" + step.outcome}>
            <button type="button" onClick={() => props.onShow(step.rule)} title="Show this rule in the claim">
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
  return (
    <>
      {applying.length > 0 && (
        <>
          <Heading class="sub">The rules, the most specific first</Heading>
          {list(applying)}
        </>
      )}
      {(others.length > 0 || explanation.omitted > 0) && (
        <details>
          <summary>
            {others.length + explanation.omitted} {others.length + explanation.omitted === 1 ? "rule does" : "rules do"} not apply
          </summary>
          {list(others)}
          {explanation.omitted > 0 && <p class="quiet small">and {explanation.omitted} more.</p>}
        </details>
      )}
      {explanation.reason !== "no_claim" && (
        <>
          <Heading class="sub">What would change the answer</Heading>
          {explanation.changes.length === 0 && <p class="quiet">{explanation.hint ? sentence(explanation.hint) : "The page found no single change that would."}</p>}
          <ul class="changes">
            {explanation.changes.map((change) => (
              <li key={change.summary}>
                <span>
                  {sentence(change.summary)}
                  {change.kind === "claim" && <span class="quiet small"> {change.others ? "Other answers change too." : "No other answer changes."}</span>}
                </span>
                <button type="button" onClick={() => props.onChange(change)} aria-label={`${change.kind === "claim" ? "Change the claim" : "Ask it so"}: ${change.summary}`}>
                  {change.kind === "claim" ? "Change the claim" : "Ask it so"}
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}
