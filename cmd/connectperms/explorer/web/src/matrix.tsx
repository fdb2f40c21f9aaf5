// The matrix: targets by permissions. With two claims there are two matrices with the same rows: side by side,
// or on a narrow page each row of the first above that of the second.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Call, MatrixRow, Permission, PermissionInfo, Target } from "./api.ts";
import { memo, useMedia, useRows, useWindow } from "./hooks.ts";
import type { Outline } from "./tree.tsx";
import { cells, short } from "./words.ts";

export interface Question {
  action: Permission;
  target: Target;
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

// A cell of the second claim says what it was in the first one, if it has changed.
function Cell({ code, before }: { code: string; before: string }) {
  const now = cells[code]!;
  const sign = code === before ? "" : code === "y" ? "+" : before === "y" ? "−" : "≠";
  return (
    <>
      <span aria-hidden="true">
        {sign && <b>{sign} </b>}
        {now.sign}
      </span>
      <span class={now.short ? "word" : "hidden"}>{now.short || now.word}</span>
      {sign && <span class="hidden"> changed, before: {cells[before]!.word}</span>}
    </>
  );
}

// A line has the answers of one claim about a row, or of both claims beside each other.
const Line = memo(
  (props: {
    row: MatrixRow | undefined; // none while it is being read
    added: boolean;
    line: number;
    height: number;
    permissions: PermissionInfo[];
    claims: number;
    claim: number; // the one that the line is of, or -1 for all
    name: string; // of that claim, if there are two
    asked: boolean;
    picked: number; // the number of the permission, if the row is asked about
    cursor: number; // the column that has the focus, or -1
  }) => {
    const { row, line, height, claim, permissions } = props;
    const which = claim >= 0 ? [claim] : Array.from({ length: props.claims }, (_, i) => i);
    return (
      <div
        class={`row${props.asked ? " asked" : ""}${claim === 1 ? " below" : ""}`}
        role="row"
        aria-rowindex={line + 2}
        style={{ top: line * height + "px", height: height + "px" }}
      >
        <span role="rowheader" class="target" data-cell={`${line}.0`} tabIndex={props.cursor === 0 ? 0 : -1} title={row?.title}>
          {props.added && claim < 1 && (
            <button type="button" class="remove" tabIndex={-1} aria-label={`Remove the row ${row?.title ?? ""}`} title="Remove this row (Delete)">
              ×
            </button>
          )}
          {claim < 1 && <Indented row={row} added={props.added} />}
          {claim === 1 && <span class="hidden">{row?.title}</span>}
          {claim >= 0 && <span class="hidden">, {props.name}</span>}
          {claim >= 0 && (
            <span class="small quiet which" aria-hidden="true">
              {claim === 0 ? "1st" : "2nd"}
            </span>
          )}
        </span>
        {which.map((i) =>
          permissions.map((_, n) => {
            const code = (claimed: number): string => (row && !row.error && row.claims[claimed]?.cells[n]) || "-";
            const changed = props.claims > 1 && code(0) !== code(1);
            const column = 1 + n + (claim >= 0 ? 0 : i * permissions.length);
            return (
              <span
                key={column}
                role="gridcell"
                class={`cell ${cells[code(i)]!.kind}${changed ? " changed" : ""}${props.picked === n ? " picked" : ""}${i > 0 && n === 0 && claim < 0 ? " begins" : ""}`}
                data-cell={`${line}.${column}`}
                aria-selected={props.picked === n}
                tabIndex={props.cursor === column ? 0 : -1}
              >
                {row && <Cell code={code(i)} before={i === 1 ? code(0) : code(i)} />}
              </span>
            );
          }),
        )}
      </div>
    );
  },
);

export function Matrix(props: {
  call: Call;
  outline: Outline;
  permissions: PermissionInfo[];
  names: string[]; // of the claims, if there are two
  added: Target[];
  question: Question | null;
  onPick: (question: Question, title: string) => void;
  onAhead: (question: Question) => void; // it will probably be picked
  onRemove: (index: number) => void;
}) {
  const { call, outline, permissions, added, question } = props;
  const box = useRef<HTMLDivElement>(null);
  const claims = outline.claims.length;
  const wide = useMedia("(min-width: 1300px)");
  const beside = claims > 1 && wide;
  const lines = claims > 1 && !wide ? 2 : 1; // for each row
  const height = lines > 1 ? 30 : 36;
  const headHeight = beside ? 76 : 50;
  const columns = permissions.length * (beside ? 2 : 1);

  const count = added.length + outline.rows;
  const { first, end, scrollTo, page } = useWindow(box, count * lines, height, headHeight);
  const seen = Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i);

  // Rows that the person added come first. Their numbers are negative, so that the others keep theirs.
  const numberOf = (line: number): number => {
    const index = Math.floor(line / lines);
    return index < added.length ? -1 - index : index - added.length;
  };
  const key = outline.key + JSON.stringify(added);
  const rowOf = useRows<MatrixRow>(key, [...new Set(seen.map(numberOf))], async (numbers) => {
    const rows = numbers.filter((n) => n >= 0);
    const mine = numbers.filter((n) => n < 0);
    const answer = await call("matrix", { claims: outline.claims, rows, targets: mine.map((n) => added[-1 - n]!) });
    const byNumber = new Map([...rows, ...mine].map((n, i) => [n, answer.rows[i]!]));
    return numbers.map((n) => byNumber.get(n)!);
  });

  const [at, setAt] = useState({ line: 0, column: 0 });
  const focusAt = useRef(false);
  const cursor = { line: Math.min(at.line, count * lines - 1), column: Math.min(at.column, columns) };
  useLayoutEffect(() => {
    if (focusAt.current) {
      const cell = box.current?.querySelector<HTMLElement>(`[data-cell="${cursor.line}.${cursor.column}"]`);
      cell?.focus({ preventScroll: true });
      cell?.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    focusAt.current = false;
  });
  const go = (line: number, column: number): void => {
    const next = { line: Math.max(0, Math.min(count * lines - 1, line)), column: Math.max(0, Math.min(columns, column)) };
    focusAt.current = true;
    setAt(next);
    scrollTo(next.line);
  };

  // Column 0 is the head of the row. It can have a button.
  const questionAt = (line: number, column: number): { question: Question; title: string } | undefined => {
    const row = rowOf(numberOf(line));
    const action = permissions[(column - 1) % permissions.length]?.name;
    return row && !row.error && action ? { question: { action, target: row.target }, title: row.title } : undefined;
  };
  const pick = (line: number, column: number): void => {
    const picked = questionAt(line, column);
    if (picked) props.onPick(picked.question, picked.title);
  };
  const remove = (line: number): void => {
    const number = numberOf(line);
    if (number < 0) props.onRemove(-1 - number);
  };
  const cellOf = (event: Event): { line: number; column: number } | undefined => {
    const name = (event.target as Element).closest<HTMLElement>("[data-cell]")?.dataset["cell"];
    const [line, column] = name?.split(".").map(Number) ?? [];
    return line === undefined ? undefined : { line, column: column! };
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const { line, column } = cursor;
    switch (event.key) {
      case "ArrowDown":
        go(line + 1, column);
        break;
      case "ArrowUp":
        go(line - 1, column);
        break;
      case "ArrowRight":
        go(line, column + 1);
        break;
      case "ArrowLeft":
        go(line, column - 1);
        break;
      case "PageDown":
        go(line + page, column);
        break;
      case "PageUp":
        go(line - page, column);
        break;
      case "Home":
        go(event.ctrlKey ? 0 : line, 0);
        break;
      case "End":
        go(event.ctrlKey ? count * lines - 1 : line, columns);
        break;
      case "Enter":
      case " ":
        if (column === 0) return;
        pick(line, column);
        break;
      case "Delete":
        remove(line);
        break;
      default:
        return;
    }
    event.preventDefault();
  };

  return (
    <div
      class={`list matrix${beside ? " beside" : ""}`}
      ref={box}
      role="grid"
      aria-label={claims > 1 ? "Answers of both claims by target and permission" : "Answers by target and permission"}
      aria-rowcount={count * lines + 1}
      aria-colcount={columns + 1}
      onKeyDown={onKeyDown}
      onFocusIn={(event) => {
        const cell = cellOf(event);
        if (!cell) return;
        if (cell.line !== cursor.line || cell.column !== cursor.column) setAt(cell);
        const ahead = cell.column > 0 && questionAt(cell.line, cell.column);
        if (ahead) props.onAhead(ahead.question);
      }}
      onClick={(event) => {
        const cell = cellOf(event);
        if (!cell) return;
        if ((event.target as Element).closest(".remove")) remove(cell.line);
        else if (cell.column > 0) pick(cell.line, cell.column);
      }}
    >
      <div class="head" style={{ height: headHeight + "px" }} role="row" aria-rowindex={1}>
        <span role="columnheader" class="target">
          Target
        </span>
        {(beside ? [0, 1] : [0]).map((i) =>
          permissions.map((p, n) => {
            const [object, verb] = p.name.split(":");
            return (
              <span
                role="columnheader"
                key={i + p.name}
                title={p.description}
                aria-label={beside ? `${props.names[i]}: ${p.name}` : p.name}
                class={`${question?.action === p.name ? "asked" : ""}${i > 0 && n === 0 ? " begins" : ""}`}
              >
                {beside && n === 0 && <b class="group">{props.names[i]}</b>}
                {object}
                {verb && (
                  <>
                    :<wbr />
                    {verb}
                  </>
                )}
              </span>
            );
          }),
        )}
      </div>
      <div class="sizer" role="rowgroup" style={{ height: count * lines * height + "px" }}>
        {seen.map((line) => {
          const number = numberOf(line);
          const row = rowOf(number);
          const asked = question !== null && row !== undefined && same(row.target, question.target);
          const claim = lines > 1 ? line % 2 : -1;
          return (
            <Line
              key={number * 2 + line % lines}
              row={row}
              added={number < 0}
              line={line}
              height={height}
              permissions={permissions}
              claims={claims}
              claim={claim}
              name={claim >= 0 ? props.names[claim]! : ""}
              asked={asked}
              picked={asked ? permissions.findIndex((p) => p.name === question.action) : -1}
              cursor={cursor.line === line ? cursor.column : -1}
            />
          );
        })}
      </div>
    </div>
  );
}

function Indented({ row, added }: { row: MatrixRow | undefined; added: boolean }) {
  if (!row) return <span class="quiet">…</span>; // it is being read
  const depth = added || !row.target.credential ? 0 : row.target.configuration ? 2 : 1;
  return (
    <span class="title" style={{ paddingLeft: depth * 14 + "px" }}>
      {row.error ? `${row.title}: ${row.error}` : short(row.title)}
    </span>
  );
}
