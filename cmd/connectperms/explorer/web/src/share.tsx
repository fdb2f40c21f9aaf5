// The dialog that makes a link.

import { useEffect, useRef, useState } from "preact/hooks";
import { Copy } from "./ask.tsx";
import { encodeLink, type Shared } from "./link.ts";

export function Share(props: { shared: Shared; fromToken: boolean; form: string; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [link, setLink] = useState("");
  const [error, setError] = useState("");
  useEffect(() => {
    dialog.current!.showModal();
    // The address of the loopback server holds the secret of this run, and nobody else can open it.
    const here = props.form === "static" ? location.href.replace(/#.*$/s, "") : "";
    encodeLink(props.shared).then(
      (fragment) => setLink(here + fragment),
      (err: Error) => setError(err.message),
    );
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby="share-title" onClose={props.onClose}>
      <h2 id="share-title">Share by a link</h2>
      {error ? (
        <p class="wrong" role="alert">
          {error}
        </p>
      ) : (
        <>
          <p>
            The link holds {props.shared.other === undefined ? "the claim" : "both claims"}
            {props.shared.rows && ", the rows that you added"}
            {props.shared.question && " and the question"}, in the part after #. A browser does not send that part to a server.
          </p>
          <p class={props.fromToken ? "notice" : "quiet"}>
            <strong>The token is not in the link.</strong>{" "}
            {props.fromToken ? "You pasted a token. Only its claim is shared, and so whoever opens the link sees NOT VERIFIED." : "A link never holds one."}
          </p>
          {props.form !== "static" && (
            <p class="quiet">This page is on your computer only. Append this to the address of an explorer that others can open, or have them paste it into theirs.</p>
          )}
          <div class="open-row">
            <input type="text" readOnly value={link} aria-label="The link" onFocus={(event) => event.currentTarget.select()} />
            <Copy text={link} what="the link" />
          </div>
          <p class="quiet small">{link.length.toLocaleString("en")} characters. Some programs cut links after 2,000.</p>
        </>
      )}
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}
