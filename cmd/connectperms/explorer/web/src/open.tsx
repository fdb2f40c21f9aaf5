// Where a claim, a payload or a token is pasted, and how a token is verified.

import { useId, useRef, useState } from "preact/hooks";
import type { TokenInfo } from "./api.ts";

export interface Opened {
  message: string;
  wrong: boolean;
}

/** Open takes a text by paste, by typing or as a file, and keeps nothing of it. */
export function Open(props: { label: string; opened: Opened; onOpen: (text: string, name?: string) => void }) {
  const [text, setText] = useState("");
  const file = useRef<HTMLInputElement>(null);
  const id = useId();
  const open = (what: string, name?: string): void => {
    setText("");
    props.onOpen(what, name);
  };
  return (
    <div class="open">
      <label for={id}>{props.label}</label>
      <div class="open-row">
        <textarea
          id={id}
          rows={2}
          value={text}
          placeholder="Paste here, or drop a file on the page"
          spellcheck={false}
          autocomplete="off"
          onPaste={(event) => {
            const pasted = event.clipboardData?.getData("text/plain");
            if (!pasted?.trim() || text !== "") return;
            event.preventDefault();
            open(pasted);
          }}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
            event.preventDefault();
            open(text);
          }}
        />
        <div class="open-buttons">
          <button type="button" class="primary" disabled={text.trim() === ""} onClick={() => open(text)}>
            Read it
          </button>
          <button type="button" onClick={() => file.current?.click()}>
            Choose a file
          </button>
          <input
            ref={file}
            type="file"
            hidden
            aria-hidden="true"
            tabIndex={-1}
            onChange={async (event) => {
              const chosen = event.currentTarget.files?.[0];
              event.currentTarget.value = "";
              if (chosen) open(await chosen.text(), chosen.name);
            }}
          />
        </div>
      </div>
      <p class={`small ${props.opened.wrong ? "wrong" : "quiet"}`} role="status">
        {props.opened.message}
      </p>
    </div>
  );
}

/** A Verdict says whether what is shown was verified. */
export interface Verdict {
  state: "verified" | "not verified" | "refused";
  text: string;
  remedy?: string | undefined;
}

const labels = { verified: "✓ VERIFIED", "not verified": "⚠ NOT VERIFIED", refused: "✗ REFUSED" };

/** Badge stands beside everything that comes from a token. */
export const Badge = ({ verdict }: { verdict: Verdict }) => (
  <span class={`badge ${verdict.state.replace(" ", "-")}`} title={verdict.text}>
    {labels[verdict.state]}
  </span>
);

const time = (text?: string): string => (text ? text.replace("T", " ").replace(/(?:\.\d+)?Z$/, " UTC") : "");

export interface Key {
  key: string;
  project: string;
}

/** TokenFacts shows what a token says of itself, and takes the key that verifies it. */
export function TokenFacts(props: { info: TokenInfo; verdict: Verdict; keyAndProject: Key; onKey: (key: Key) => void; onForget: () => void }) {
  const { info, verdict, keyAndProject } = props;
  const facts: [string, string | undefined][] = [
    ["User (sub)", info.subject],
    ["Audience (aud)", info.audience.join(", ")],
    ["Issuer (iss)", info.issuer],
    ["Issued (iat)", time(info.issued)],
    ["Valid from (nbf)", time(info.notBefore)],
    ["Expires (exp)", time(info.expires)],
  ];
  return (
    <section class="token" aria-label={info.kind === "token" ? "Token" : "Payload"}>
      <div class="token-head">
        <h3>{info.kind === "token" ? "Token" : "Payload"}</h3>
        <Badge verdict={verdict} />
        <button type="button" onClick={props.onForget}>
          Forget it
        </button>
      </div>
      <dl>
        {facts.map(
          ([name, value]) =>
            value && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
      {info.kind === "token" && (
        <div class="verify">
          <label>
            <span>Public key (PEM, or base64 of it)</span>
            <textarea
              rows={3}
              value={keyAndProject.key}
              placeholder="-----BEGIN PUBLIC KEY-----"
              spellcheck={false}
              autocomplete="off"
              onInput={(event) => props.onKey({ ...keyAndProject, key: event.currentTarget.value })}
            />
          </label>
          <label>
            <span>Project ID</span>
            <input
              type="text"
              value={keyAndProject.project}
              spellcheck={false}
              autocomplete="off"
              onInput={(event) => props.onKey({ ...keyAndProject, project: event.currentTarget.value })}
            />
          </label>
        </div>
      )}
      <p class={`verification ${verdict.state.replace(" ", "-")}`} role="status">
        <strong>{labels[verdict.state]}. </strong>
        {verdict.text} {verdict.remedy}
      </p>
      <details>
        <summary>Header and payload</summary>
        {info.header && <pre tabIndex={0} aria-label="Header">{info.header}</pre>}
        <pre tabIndex={0} aria-label="Payload">{info.payload}</pre>
      </details>
    </section>
  );
}
