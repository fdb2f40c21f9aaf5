// The tree of scopes: what each grants, inherits and overrides.

import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Call, Grants, Handle, RuleRef, TreeClaim, TreeRow } from "./api.ts";
import { memo, useMedia, useRows, useWindow } from "./hooks.ts";
import { grantText, short } from "./words.ts";

export interface Outline {
  rows: number;
  descendants: number[];
  key: string;
  claims: Handle[];
}

/** What the tree lights up: the row of the rule that decides, for each claim. */
export type Lit = (RuleRef | undefined)[];

function Grant({ grants, decided = true }: { grants: Grants; decided?: boolean }) {
  const { sign, text, kind } = grantText(grants);
  return (
    <span class={`pill ${kind}${decided ? "" : " faint"}`}>
      <span aria-hidden="true">{sign} </span>
      {text}
    </span>
  );
}

function Says({ of, lit, user, unrestricted }: { of: TreeClaim; lit: boolean; user: boolean; unrestricted: boolean }) {
  if (of.own) {
    const [next] = of.overrides;
    return (
      <>
        <span class="line grant">
          <span class="quiet">grants </span>
          <Grant grants={of.own.grants} />
          {lit && <span class="decides"> ◀ decides</span>}
        </span>
        <span class="line quiet small">
          {user ? (
            <>
              decided by <code>{of.own.text}</code>
            </>
          ) : next ? (
            <>
              overrides <code>{next.text}</code>
              {of.overrides.length > 1 && ` and ${of.overrides.length - 1} more`}
            </>
          ) : (
            "overrides nothing"
          )}
        </span>
      </>
    );
  }
  if (of.inherits) {
    return (
      <>
        <span class="line grant">
          <span class="quiet">inherits </span>
          <Grant grants={of.inherits.grants} decided={false} />
          {lit && <span class="decides"> ◀ decides</span>}
        </span>
        <span class="line quiet small">
          from <code>{of.inherits.text}</code>
          {of.map?.empty && ". Its map is empty and sets nothing"}
        </span>
      </>
    );
  }
  return (
    <>
      <span class="line grant">
        <Grant grants={unrestricted ? true : []} decided={false} />
      </span>
      <span class="line quiet small">{unrestricted ? "the token has no claim" : "no rule covers it"}</span>
    </>
  );
}

const none: ReadonlySet<number> = new Set();

const Row = memo(
  (props: {
    row: TreeRow | undefined; // none while it is being read
    number: number;
    index: number;
    height: number;
    inside: number; // how many rows are in it
    closed: boolean;
    lit: string; // the numbers of the claims whose deciding rule it has
    change: "gained" | "lost" | "both" | undefined;
    picked: boolean;
    cursor: boolean;
    names: string[];
    narrow: boolean;
    unrestricted: boolean[];
  }) => {
    const { row, number, index, height, inside, change, names } = props;
    return (
      <div
        class={`row${props.lit ? " lit" : ""}${change ? " " + change : ""}${props.picked ? " picked" : ""}${row?.implied ? " implied" : ""}`}
        role="treeitem"
        data-at={index}
        data-row={number}
        aria-level={(row?.depth ?? 0) + 1}
        aria-expanded={inside > 0 ? !props.closed : undefined}
        aria-selected={props.picked}
        tabIndex={props.cursor ? 0 : -1}
        style={{ top: index * height + "px", height: height + "px" }}
      >
        {!row && <span class="quiet">…</span>}
        {row && (
          <>
            <span class="scope" style={{ paddingLeft: row.depth * 20 + "px" }}>
              <span class="twist" aria-hidden="true">
                {inside > 0 && (props.closed ? "▸" : "▾")}
              </span>
              <span class="name">
                <span class="line title" title={row.title}>
                  {short(row.title)}
                </span>
                <span class="line small quiet">
                  {change && <span class={`change ${change}`}>{{ gained: "+ allows more", lost: "− allows less", both: "± both" }[change]} </span>}
                  {row.scope ? <code>{row.label}</code> : "events and metadata"}
                </span>
              </span>
            </span>
            {row.claims.map((claim, n) => (
              <span class="says" key={n}>
                {names.length > 1 && props.narrow && <span class="which small">{names[n]}</span>}
                <Says of={claim} lit={props.lit.includes(String(n))} user={row.kind === "user"} unrestricted={props.unrestricted[n]!} />
              </span>
            ))}
          </>
        )}
      </div>
    );
  },
);

export function Tree(props: {
  call: Call;
  outline: Outline;
  lit: Lit;
  ofUser: boolean; // the rule that decides does so for the user
  unrestricted: boolean[]; // for each claim, whether there is none, and so everything is allowed
  names: string[]; // of the claims, if there are two
  changed: Map<number, "gained" | "lost" | "both">;
  picked: number;
  onPick: (row: TreeRow) => void;
}) {
  const { call, outline, lit, changed } = props;
  const [closed, setClosed] = useState<{ key: string; rows: ReadonlySet<number> }>({ key: "", rows: new Set() });
  const [at, setAt] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  // On a narrow page what a scope says is below its name.
  const narrow = useMedia("(max-width: 600px)");
  const names = useMemo(() => props.names, [props.names.join()]);
  const unrestricted = useMemo(() => props.unrestricted, [props.unrestricted.join()]);
  const height = narrow ? 10 + 42 * (1 + outline.claims.length) : 52;
  const closedRows = closed.key === outline.key ? closed.rows : none;

  // The rows that are not in a closed one.
  const visible = useMemo(() => {
    const rows: number[] = [];
    for (let row = 0; row < outline.rows; row++) {
      rows.push(row);
      if (closedRows.has(row)) row += outline.descendants[row] ?? 0;
    }
    return rows;
  }, [outline.key, closedRows]);

  const { first, end, scrollTo, page } = useWindow(box, visible.length, height, names.length > 1 && !narrow ? 29 : 0);
  const seen = visible.slice(first, end);
  const rowOf = useRows<TreeRow>(outline.key, seen, async (rows) => (await call("tree", { claims: outline.claims, rows })).rows);

  const focusAt = useRef(false);
  const cursor = Math.min(at, visible.length - 1);
  useLayoutEffect(() => {
    if (focusAt.current) box.current?.querySelector<HTMLElement>(`[data-at="${cursor}"]`)?.focus({ preventScroll: true });
    focusAt.current = false;
  });
  const go = (index: number): void => {
    const next = Math.max(0, Math.min(visible.length - 1, index));
    focusAt.current = true;
    setAt(next);
    scrollTo(next);
  };

  // The row that decides comes into view, also from a closed one.
  const litRow = lit.find((rule) => rule)?.row ?? -1;
  const toShow = useRef(-1);
  useLayoutEffect(() => {
    if (litRow < 0) return;
    toShow.current = litRow;
    const open = [...closedRows].filter((row) => !(row < litRow && litRow <= row + (outline.descendants[row] ?? 0)));
    if (open.length < closedRows.size) setClosed({ key: outline.key, rows: new Set(open) });
  }, [litRow, outline.key]);
  useLayoutEffect(() => {
    if (toShow.current >= 0) scrollTo(visible.indexOf(toShow.current));
    toShow.current = -1;
  }, [visible, litRow]);

  const toggle = (row: number, close: boolean): void => {
    const rows = new Set(closedRows);
    if (close) rows.add(row);
    else rows.delete(row);
    setClosed({ key: outline.key, rows });
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    const number = visible[cursor]!;
    const row = rowOf(number);
    const inside = outline.descendants[number] ?? 0;
    switch (event.key) {
      case "ArrowDown":
        go(cursor + 1);
        break;
      case "ArrowUp":
        go(cursor - 1);
        break;
      case "PageDown":
        go(cursor + page);
        break;
      case "PageUp":
        go(cursor - page);
        break;
      case "Home":
        go(0);
        break;
      case "End":
        go(visible.length - 1);
        break;
      case "ArrowRight":
        if (inside > 0 && closedRows.has(number)) toggle(number, false);
        else if (inside > 0) go(cursor + 1);
        break;
      case "ArrowLeft":
        if (inside > 0 && !closedRows.has(number)) toggle(number, true);
        else {
          let parent = cursor - 1;
          while (parent >= 0 && !(number <= visible[parent]! + (outline.descendants[visible[parent]!] ?? 0))) parent--;
          if (parent >= 0) go(parent);
        }
        break;
      case "Enter":
      case " ":
        if (row) props.onPick(row);
        break;
      default:
        return;
    }
    event.preventDefault();
  };

  return (
    <div
      class={`list tree${names.length > 1 ? " two" : ""}`}
      ref={box}
      role="tree"
      aria-label="Scopes"
      onKeyDown={onKeyDown}
      onFocusIn={(event) => {
        const index = rowAt(event)?.dataset["at"];
        if (index !== undefined) setAt(Number(index));
      }}
      onClick={(event) => {
        const number = Number(rowAt(event)?.dataset["row"]);
        const row = rowOf(number);
        if (!row) return;
        if ((event.target as Element).closest(".twist") && outline.descendants[number]) toggle(number, !closedRows.has(number));
        else props.onPick(row);
      }}
    >
      {names.length > 1 && (
        <div class="tree-head" aria-hidden="true">
          <span>Scope</span>
          {names.map((name) => (
            <span key={name}>{name}</span>
          ))}
        </div>
      )}
      <div class="sizer" role="presentation" style={{ height: visible.length * height + "px" }}>
        {seen.map((number, i) => (
          <Row
            key={number}
            row={rowOf(number)}
            number={number}
            index={first + i}
            height={height}
            inside={outline.descendants[number] ?? 0}
            closed={closedRows.has(number)}
            lit={lit.map((rule, n) => (rule && (rule.row === number || (props.ofUser && number === 0)) ? n : "")).join("")}
            change={changed.get(number)}
            picked={props.picked === number}
            cursor={first + i === cursor}
            names={names}
            narrow={narrow}
            unrestricted={unrestricted}
          />
        ))}
      </div>
    </div>
  );
}

const rowAt = (event: Event): HTMLElement | null => (event.target as Element).closest<HTMLElement>("[data-row]");
