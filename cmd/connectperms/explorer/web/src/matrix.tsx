// The matrix: targets by permissions.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Call, MatrixRow, Permission, PermissionInfo, Target } from "./api.ts";
import { useRows, useWindow } from "./hooks.ts";
import type { Outline } from "./tree.tsx";
import { cells, short } from "./words.ts";

const height = 36;
const headHeight = 46;

export interface Question {
  action: Permission;
  target: Target;
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function Cell({ codes }: { codes: string[] }) {
  const [before, after] = codes.map((code) => cells[code]!);
  if (!after || before === after) {
    return (
      <>
        <span aria-hidden="true">{before!.sign}</span>
        <span class={before!.short ? "word" : "hidden"}>{before!.short || before!.word}</span>
      </>
    );
  }
  return (
    <>
      <span aria-hidden="true">
        <span class={before!.kind}>{before!.sign}</span>
        <span class="arrow">→</span>
        <span class={after.kind}>{after.sign}</span>
      </span>
      <span class="hidden">
        {before!.word} before, {after.word} after
      </span>
    </>
  );
}

export function Matrix(props: {
  call: Call;
  outline: Outline;
  permissions: PermissionInfo[];
  added: Target[];
  question: Question | null;
  onPick: (question: Question, title: string) => void;
  onRemove: (index: number) => void;
}) {
  const { call, outline, permissions, added, question } = props;
  const box = useRef<HTMLDivElement>(null);
  const count = added.length + outline.rows;
  const { first, end, scrollTo, page } = useWindow(box, count, height, headHeight);
  const seen = Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i);

  // Rows that the person added come first. Their numbers are negative, so that the others keep theirs.
  const numberOf = (index: number): number => (index < added.length ? -1 - index : index - added.length);
  const key = outline.key + JSON.stringify(added);
  const rowOf = useRows<MatrixRow>(key, seen.map(numberOf), async (numbers) => {
    const rows = numbers.filter((n) => n >= 0);
    const mine = numbers.filter((n) => n < 0);
    const answer = await call("matrix", { claims: outline.claims, rows, targets: mine.map((n) => added[-1 - n]!) });
    const byNumber = new Map([...rows, ...mine].map((n, i) => [n, answer.rows[i]!]));
    return numbers.map((n) => byNumber.get(n)!);
  });

  const [at, setAt] = useState({ row: 0, column: 0 });
  const focusAt = useRef(false);
  const cursor = { row: Math.min(at.row, count - 1), column: at.column };
  useLayoutEffect(() => {
    if (focusAt.current) {
      const cell = box.current?.querySelector<HTMLElement>(`[data-cell="${cursor.row}.${cursor.column}"]`);
      cell?.focus({ preventScroll: true });
      cell?.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    focusAt.current = false;
  });
  const go = (row: number, column: number): void => {
    const next = { row: Math.max(0, Math.min(count - 1, row)), column: Math.max(0, Math.min(permissions.length, column)) };
    focusAt.current = true;
    setAt(next);
    scrollTo(next.row);
  };

  // Column 0 is the head of the row. It can have a button.
  const pick = (index: number, column: number): void => {
    const row = rowOf(numberOf(index));
    const action = permissions[column - 1]?.name;
    if (row && !row.error && action) props.onPick({ action, target: row.target }, row.title);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const { row, column } = cursor;
    switch (event.key) {
      case "ArrowDown":
        go(row + 1, column);
        break;
      case "ArrowUp":
        go(row - 1, column);
        break;
      case "ArrowRight":
        go(row, column + 1);
        break;
      case "ArrowLeft":
        go(row, column - 1);
        break;
      case "PageDown":
        go(row + page, column);
        break;
      case "PageUp":
        go(row - page, column);
        break;
      case "Home":
        go(event.ctrlKey ? 0 : row, 0);
        break;
      case "End":
        go(event.ctrlKey ? count - 1 : row, permissions.length);
        break;
      case "Enter":
      case " ":
        if (column === 0) return;
        pick(row, column);
        break;
      case "Delete":
        if (row >= added.length) return;
        props.onRemove(row);
        break;
      default:
        return;
    }
    event.preventDefault();
  };

  return (
    <div
      class="list matrix"
      ref={box}
      role="grid"
      aria-label="Answers by target and permission"
      aria-rowcount={count + 1}
      aria-colcount={permissions.length + 1}
      onKeyDown={onKeyDown}
    >
      <div class="head" role="row" aria-rowindex={1}>
        <span role="columnheader" class="target">
          Target
        </span>
        {permissions.map((p) => {
          const [object, verb] = p.name.split(":");
          return (
            <span role="columnheader" key={p.name} title={p.description} aria-label={p.name} class={question?.action === p.name ? "asked" : ""}>
              {object}
              {verb && (
                <>
                  :<wbr />
                  {verb}
                </>
              )}
            </span>
          );
        })}
      </div>
      <div class="sizer" role="rowgroup" style={{ height: count * height + "px" }}>
        {seen.map((index) => {
          const number = numberOf(index);
          const row = rowOf(number);
          const asked = question !== null && row !== undefined && same(row.target, question.target);
          return (
            <div
              key={number}
              class={`row${asked ? " asked" : ""}`}
              role="row"
              aria-rowindex={index + 2}
              style={{ top: index * height + "px", height: height + "px" }}
            >
              <span
                role="rowheader"
                class="target"
                data-cell={`${index}.0`}
                tabIndex={cursor.row === index && cursor.column === 0 ? 0 : -1}
                onFocus={() => setAt({ row: index, column: 0 })}
                title={row?.title}
              >
                {number < 0 && (
                  <button
                    type="button"
                    class="remove"
                    tabIndex={-1}
                    aria-label={`Remove the row ${row?.title ?? ""}`}
                    title="Remove this row (Delete)"
                    onClick={() => props.onRemove(index)}
                  >
                    ×
                  </button>
                )}
                <Indented row={row} number={number} />
              </span>
              {permissions.map((p, i) => {
                const codes = row && !row.error ? row.claims.map((claim) => claim.cells[i] ?? "-") : ["-"];
                const changed = codes.length > 1 && codes[0] !== codes[1];
                const picked = asked && question.action === p.name;
                return (
                  <span
                    key={p.name}
                    role="gridcell"
                    class={`cell ${changed ? "changed" : cells[codes[0]!]!.kind}${picked ? " picked" : ""}${question?.action === p.name ? " column" : ""}`}
                    data-cell={`${index}.${i + 1}`}
                    aria-selected={picked}
                    tabIndex={cursor.row === index && cursor.column === i + 1 ? 0 : -1}
                    onFocus={() => setAt({ row: index, column: i + 1 })}
                    onClick={() => pick(index, i + 1)}
                  >
                    {row && <Cell codes={codes} />}
                  </span>
                );
              })}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function Indented({ row, number }: { row: MatrixRow | undefined; number: number }) {
  if (!row) return <span class="quiet">…</span>; // it is being read
  const depth = number < 0 || !row.target.credential ? 0 : row.target.configuration ? 2 : 1;
  return (
    <span class="title" style={{ paddingLeft: depth * 14 + "px" }}>
      {row.error ? `${row.title}: ${row.error}` : short(row.title)}
    </span>
  );
}
