// A question by picking, and how it is written elsewhere.

import { useEffect, useId, useState } from "preact/hooks";
import type { Call, Mistake, Permission, PermissionInfo, Rendered, Target, Thing, TreeRow } from "./api.ts";
import { answerOf, useAsked } from "./hooks.ts";
import type { Question } from "./matrix.tsx";
import type { Outline } from "./tree.tsx";
import { levelOf } from "./words.ts";

type Known = "known" | "absent" | "unknown";
interface Field {
  known: Known;
  text: string;
}
export interface Form {
  action: Permission;
  level: TreeRow["kind"];
  integration: string;
  credential: { id: Field; externalId: Field };
  configuration: { id: Field; externalId: Field };
}

const fieldOf = (value: string | null | undefined): Field =>
  typeof value === "string" ? { known: "known", text: value } : { known: value === null ? "absent" : "unknown", text: "" };
const thingOf = (thing?: Thing): Form["credential"] => ({ id: fieldOf(thing?.id), externalId: fieldOf(thing?.externalId) });

/** formOf returns the form of a question. What it does not say is taken from an older form. */
export const formOf = ({ action, target }: Question, old?: Form): Form => ({
  action,
  level: levelOf(target),
  integration: target.integration ?? old?.integration ?? "",
  credential: target.credential || !old ? thingOf(target.credential) : old.credential,
  configuration: target.configuration || !old ? thingOf(target.configuration) : old.configuration,
});

const valueOf = ({ known, text }: Field): string | null | undefined => ({ known: text, absent: null, unknown: undefined })[known];
const asThing = (form: Form["credential"]): Thing => {
  const [id, externalId] = [valueOf(form.id), valueOf(form.externalId)];
  return { ...(id !== undefined && { id }), ...(externalId !== undefined && { externalId }) };
};

export function questionOf(form: Form): Question {
  const target: Target = {};
  if (form.level !== "user") target.integration = form.integration;
  if (form.level === "credential" || form.level === "configuration") target.credential = asThing(form.credential);
  if (form.level === "configuration") target.configuration = asThing(form.configuration);
  return { action: form.action, target };
}

// useNames returns names that the claim has, for an input that has the focus to propose.
function useNames(call: Call, outline: Outline | undefined, scope: string, typed: string, focused: boolean): string[] {
  const asked = useAsked(
    outline && focused
      ? async () => {
          const found = await call("find", { claims: outline.claims, text: scope + typed, limit: 30 });
          if (found.rows.length === 0) return [];
          const { rows } = await call("tree", { claims: outline.claims, rows: found.rows });
          const names = rows.map((row) => row.scope).filter((s) => s.startsWith(scope) && !s.endsWith(":*") && (scope.endsWith("ext:") || !s.startsWith(scope + "ext:")));
          return [...new Set(names.map((s) => s.slice(scope.length)))];
        }
      : null,
    [outline?.key, scope, typed, focused],
  );
  return answerOf(asked) ?? [];
}

function Names(props: { id: string; names: string[] }) {
  return (
    <datalist id={props.id}>
      {props.names.map((name) => (
        <option key={name} value={name} />
      ))}
    </datalist>
  );
}

function Identifier(props: {
  call: Call;
  outline: Outline | undefined;
  label: string;
  scope: string;
  field: Field;
  wrong: boolean;
  onChange: (field: Field) => void;
}) {
  const { field, label } = props;
  const list = useId();
  const [focused, setFocused] = useState(false);
  const names = useNames(props.call, props.outline, props.scope, field.text, focused);
  return (
    <div class="identifier">
      <label>
        <span>{label}</span>
        <select value={field.known} onChange={(event) => props.onChange({ ...field, known: event.currentTarget.value as Known })}>
          <option value="known">is</option>
          <option value="absent">{props.scope.endsWith("ext:") ? "has none" : "has none yet"}</option>
          <option value="unknown">not known</option>
        </select>
      </label>
      {field.known === "known" && (
        <>
          <input
            type="text"
            aria-label={label + " text"}
            aria-invalid={props.wrong}
            list={list}
            value={field.text}
            placeholder={props.scope.endsWith("ext:") ? "an external ID" : "a UUID"}
            spellcheck={false}
            autocomplete="off"
            onFocus={() => setFocused(true)}
            onBlur={() => setFocused(false)}
            onInput={(event) => props.onChange({ ...field, text: event.currentTarget.value })}
          />
          <Names id={list} names={names} />
        </>
      )}
    </div>
  );
}

export function Ask(props: {
  call: Call;
  outline: Outline | undefined;
  permissions: PermissionInfo[];
  form: Form;
  onChange: (form: Form) => void;
  onAdd: (target: Target) => void;
  added: boolean;
  mistake?: Mistake | undefined;
}) {
  const { form, permissions, onChange, mistake } = props;
  const [focused, setFocused] = useState(false);
  const names = useNames(props.call, props.outline, "integration:", form.integration, focused);
  const list = useId();
  const info = permissions.find((p) => p.name === form.action);
  const actsOn = info?.actsOn[form.level];
  return (
    <form class="ask" onSubmit={(event) => event.preventDefault()}>
      <div class="fields">
        <label>
          <span>Action</span>
          <select value={form.action} onChange={(event) => onChange({ ...form, action: event.currentTarget.value })}>
            {permissions.map((p) => (
              <option key={p.name} value={p.name}>
                {p.name}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span>Target</span>
          <select value={form.level} onChange={(event) => onChange({ ...form, level: event.currentTarget.value as Form["level"] })}>
            <option value="user">the user</option>
            <option value="integration">an integration</option>
            <option value="credential">a credential</option>
            <option value="configuration">a configuration</option>
          </select>
        </label>
        {form.level !== "user" && (
          <label>
            <span>Integration</span>
            <input
              type="text"
              list={list}
              value={form.integration}
              placeholder="such as slack"
              aria-invalid={mistake?.field === "integration"}
              spellcheck={false}
              autocomplete="off"
              onFocus={() => setFocused(true)}
              onBlur={() => setFocused(false)}
              onInput={(event) => onChange({ ...form, integration: event.currentTarget.value })}
            />
            <Names id={list} names={names} />
          </label>
        )}
      </div>
      {(["credential", "configuration"] as const).map(
        (kind) =>
          (form.level === kind || (form.level === "configuration" && kind === "credential")) && (
            <div class="fields wide" key={kind}>
              {(["id", "externalId"] as const).map((which) => (
                <Identifier
                  key={which}
                  call={props.call}
                  outline={props.outline}
                  label={`${kind === "credential" ? "Credential" : "Configuration"} ${which === "id" ? "ID" : "external ID"}`}
                  scope={kind + (which === "id" ? ":" : ":ext:")}
                  field={form[kind][which]}
                  wrong={mistake?.field === `${kind} ${which === "id" ? "ID" : "external ID"}`}
                  onChange={(field) => onChange({ ...form, [kind]: { ...form[kind], [which]: field } })}
                />
              ))}
            </div>
          ),
      )}
      <p class="quiet small about">
        <span>
          <code>{form.action}</code>: {info?.description}.{actsOn && actsOn !== "invalid" && ` Asked so, it acts on ${actsOn}.`}
        </span>
        {!mistake && form.level !== "user" && (
          <button type="button" disabled={props.added} onClick={() => props.onAdd(questionOf(form).target)}>
            {props.added ? "Is in the matrix" : "Add target to the matrix"}
          </button>
        )}
      </p>
    </form>
  );
}

/** Copy puts a text on the clipboard. */
export function Copy({ text, what }: { text: string; what: string }) {
  const [done, setDone] = useState("");
  useEffect(() => setDone(""), [text]);
  return (
    <button
      type="button"
      class="copy"
      aria-label={`Copy ${what}`}
      onClick={() =>
        navigator.clipboard.writeText(text).then(
          () => setDone("Copied"),
          () => setDone("The browser did not allow it"),
        )
      }
    >
      <span aria-live="polite">{done || "Copy"}</span>
    </button>
  );
}

/** Written shows a question as Go, as JSON and as a command line. */
export function Written({ rendered: answer }: { rendered: Rendered | undefined }) {
  const forms = [
    ["go", "Go"],
    ["json", "JSON"],
    ["command", "Command line"],
  ] as const;
  const [shown, setShown] = useState<keyof Rendered>("go");
  const id = useId();
  if (!answer) return null;
  const pick = (event: KeyboardEvent): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const index = (forms.findIndex(([f]) => f === shown) + step + forms.length) % forms.length;
    setShown(forms[index]![0]);
    (event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("[role=tab]")[index]?.focus();
    event.preventDefault();
  };
  return (
    <div class="written">
      <div class="tabs">
        <div role="tablist" aria-label="The question, written as" onKeyDown={pick}>
          {forms.map(([form, label]) => (
            <button
              type="button"
              role="tab"
              key={form}
              id={`${id}-${form}`}
              aria-selected={shown === form}
              aria-controls={id}
              tabIndex={shown === form ? 0 : -1}
              onClick={() => setShown(form)}
            >
              {label}
            </button>
          ))}
        </div>
        <Copy text={answer[shown]} what="the question" />
      </div>
      <pre id={id} role="tabpanel" aria-labelledby={`${id}-${shown}`} tabIndex={0}>
        {answer[shown]}
      </pre>
    </div>
  );
}
