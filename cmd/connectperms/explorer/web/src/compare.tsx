// What changes from one claim to another.

import type { Answer, Diff, DiffChange } from "./api.ts";
import type { Question } from "./matrix.tsx";
import { signs } from "./words.ts";

const summaries: Record<Diff["summary"], [sign: string, title: string, text: string]> = {
  equal: ["=", "Equal", "Both claims give the same answer to every question."],
  wider: ["+", "Wider", "The second claim allows more, and nothing less."],
  narrower: ["−", "Narrower", "The second claim allows less, and nothing more."],
  both: ["±", "Wider and narrower", "The second claim allows some things more, and some things less."],
};

const word = (answer: string): string => `${signs[answer as Answer] ?? ""} ${answer}`;

function Region({ change, onAsk }: { change: DiffChange; onAsk: (question: Question) => void }) {
  const notes = [
    ["only", change.only],
    ["unchanged in", change.unchanged],
    ["in part in", change.partly],
    ["different in", change.separate],
  ].filter(([, text]) => text);
  return (
    <li class={change.change}>
      <p>
        <strong>{change.change === "gained" ? "+ Now allowed" : "− Not allowed any more"}: </strong>
        {change.permissions.join(", ")}
      </p>
      <p>
        on <code>{change.region}</code>
        {notes.map(([label, text]) => (
          <span class="quiet small" key={label}>
            ; {label} <code>{text}</code>
          </span>
        ))}
      </p>
      <p class="small">
        <span class="quiet">Example: {change.example.text}. </span>
        {word(change.before.answer)} before, {word(change.after.answer)} after.{" "}
        <button type="button" class="link" onClick={() => onAsk(change.example)}>
          Ask this
        </button>
      </p>
    </li>
  );
}

export function Comparison(props: { diff: Diff; onAsk: (question: Question) => void; onNarrow: () => void }) {
  const { diff } = props;
  const [sign, title, text] = summaries[diff.summary];
  return (
    <div class="comparison">
      <p class={`verdict ${diff.summary}`} aria-live="polite">
        <strong>
          <span aria-hidden="true">{sign} </span>
          {title}.
        </strong>{" "}
        <span>{text}</span>
      </p>
      {diff.changes.length > 0 && (
        <ul class="regions">
          {diff.changes.map((change) => (
            <Region key={change.index} change={change} onAsk={props.onAsk} />
          ))}
        </ul>
      )}
      {diff.total > diff.changes.length && <p class="quiet">and {diff.total - diff.changes.length} more changes.</p>}
      {diff.summary !== "equal" && (
        <p>
          <button type="button" onClick={props.onNarrow}>
            Replace the second claim with what both allow
          </button>
        </p>
      )}
    </div>
  );
}
