// What several parts of the page need: answers of the library, and lists of which only the visible rows exist.

import { useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from "preact/hooks";
import { Component, type ComponentChildren, type RefObject } from "preact";
import { Refusal, type Mistake } from "./api.ts";

export type Asked<T> = { state: "none" } | { state: "waiting"; last?: T } | { state: "answer"; answer: T } | { state: "refused"; mistake: Mistake };

/** toMistake returns what is wrong, from what a call throws. */
export const toMistake = (err: unknown): Mistake =>
  err instanceof Refusal ? err.failure.error : { code: "unavailable", message: err instanceof Error ? err.message : String(err) };

/**
 * useAsked asks when what it depends on changes, and returns the newest answer. An answer to what was asked
 * before is dropped. Without a question it returns none.
 */
export function useAsked<T>(ask: (() => Promise<T>) | null, depends: unknown[]): Asked<T> {
  const [asked, setAsked] = useState<{ key?: object; value: Asked<T> }>({ value: { state: "none" } });
  const key = useMemo(() => ({}), depends);
  const latest = useRef<object>(key);
  latest.current = key;
  // useLayoutEffect, because useEffect runs after the next frame, and the answer may be there before it.
  useLayoutEffect(() => {
    if (!ask) return;
    ask().then(
      (answer) => latest.current === key && setAsked({ key, value: { state: "answer", answer } }),
      (err: unknown) => latest.current === key && setAsked({ key, value: { state: "refused", mistake: toMistake(err) } }),
    );
  }, [key]);
  if (!ask) return { state: "none" };
  if (asked.key === key) return asked.value;
  return asked.value.state === "answer" ? { state: "waiting", last: asked.value.answer } : { state: "waiting" };
}

/** answerOf returns the answer, or while a new one is on its way the one before it. */
export function answerOf<T>(asked: Asked<T>): T | undefined {
  return asked.state === "answer" ? asked.answer : asked.state === "waiting" ? asked.last : undefined;
}

/** memo makes a component that is made anew only if one of its properties has changed. */
export function memo<P extends object>(view: (props: P) => ComponentChildren) {
  return class extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      return (Object.keys(next) as (keyof P)[]).some((name) => next[name] !== this.props[name]);
    }
    override render(): ComponentChildren {
      return view(this.props);
    }
  };
}

export interface Window {
  first: number;
  end: number;
  scrollTo(index: number): void;
  page: number; // how many whole rows are visible
}

/**
 * useWindow says which rows of a list to render: the visible ones, and a few around them. All rows have one height.
 * above is the height of the head that covers the top of the list.
 */
export function useWindow(box: RefObject<HTMLElement | null>, count: number, height: number, above: number): Window {
  const [seen, setSeen] = useState({ top: 0, height: 600 });
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const look = (): void =>
      setSeen((old) =>
        old.top === element.scrollTop && old.height === element.clientHeight ? old : { top: element.scrollTop, height: element.clientHeight },
      );
    look();
    element.addEventListener("scroll", look, { passive: true });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", look);
      observer.disconnect();
    };
  }, [count > 0]);
  const spare = 8;
  const first = Math.max(0, Math.min(Math.floor(seen.top / height) - spare, count - 1));
  const end = Math.min(count, Math.ceil((seen.top + seen.height) / height) + spare);
  const page = Math.max(1, Math.floor((seen.height - above) / height) - 1);
  return {
    first,
    end,
    page,
    scrollTo(index) {
      const element = box.current;
      if (!element || index < 0) return;
      const top = index * height;
      const room = element.clientHeight - above;
      if (top < element.scrollTop) element.scrollTop = top;
      else if (top + height > element.scrollTop + room) element.scrollTop = Math.max(0, top + height - room);
      setSeen({ top: element.scrollTop, height: element.clientHeight });
    },
  };
}

/** useRows keeps the rows that were asked for, and asks for those that are missing. */
export function useRows<T>(key: string, wanted: number[], load: (rows: number[]) => Promise<T[]>): (row: number) => T | undefined {
  const kept = useRef({ key, rows: new Map<number, T>(), pending: new Set<number>() });
  const [, redraw] = useReducer((n: number) => n + 1, 0);
  if (kept.current.key !== key) kept.current = { key, rows: new Map(), pending: new Set() };
  const now = kept.current;
  useLayoutEffect(() => {
    const missing = wanted.filter((row) => !now.rows.has(row) && !now.pending.has(row));
    if (missing.length === 0) return;
    for (const row of missing) now.pending.add(row);
    load(missing).then(
      (rows) => {
        rows.forEach((row, i) => now.rows.set(missing[i]!, row));
        for (const row of missing) now.pending.delete(row);
        if (kept.current === now) redraw(0);
      },
      () => {
        // The claim has changed meanwhile, or the library cannot be reached, which other answers say.
        for (const row of missing) now.pending.delete(row);
      },
    );
  });
  return (row) => now.rows.get(row);
}

/** useMedia says whether a media query matches. */
export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const look = (): void => setMatches(media.matches);
    media.addEventListener("change", look);
    return () => media.removeEventListener("change", look);
  }, [query]);
  return matches;
}
