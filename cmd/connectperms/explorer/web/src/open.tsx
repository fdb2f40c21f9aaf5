// Where a claim, a payload or a token is pasted, and how a token is verified.

import { useRef } from "preact/hooks";
import type { TokenInfo } from "./api.ts";

export interface Opened {
  message: string;
  wrong: boolean;
}

/** Open says what the editor below it takes, and reads a file. */
export function Open(props: { opened: Opened; onOpen: (text: string, name: string) => void; onClear: () => void }) {
  const file = useRef<HTMLInputElement>(null);
  return (
    <div class="open">
      <p>
        <strong>Paste a claim, a payload or a token into the editor,</strong> or drop a file. It replaces what is there.
      </p>
      <div class="open-row">
        <button type="button" onClick={() => file.current?.click()}>
          Choose a file
        </button>
        <button type="button" onClick={props.onClear}>
          Clear
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
            if (chosen) props.onOpen(await chosen.text(), chosen.name);
          }}
        />
        <p class={`small ${props.opened.wrong ? "wrong" : "quiet"}`} role="status">
          {props.opened.message}
        </p>
      </div>
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

/** Badge says in a word whether something was verified. */
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
