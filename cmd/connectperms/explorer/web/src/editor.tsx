// The editor of a claim: CodeMirror in a shadow root. There it uses constructed style sheets, which the
// Content-Security-Policy allows.

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { json, jsonLanguage } from "@codemirror/lang-json";
import { bracketMatching, foldGutter, foldKeymap, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState, RangeSetBuilder, StateEffect, StateField } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView, highlightActiveLine, keymap, lineNumbers, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { TextEdit } from "./api.ts";
import { complete } from "./complete.ts";
import { isLink } from "./link.ts";

/** A Mark lights up a part of the text. */
export interface Mark {
  from: number;
  to: number;
  kind: "decides" | "picked" | "gained" | "lost";
}

/** What other parts of the page do with an editor. */
export interface EditorHandle {
  replace(text: string): void;
  apply(edit: TextEdit): void;
  show(from: number, focus: boolean): void;
}

const setMarks = StateEffect.define<Mark[]>();

const marks = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(set, transaction) {
    set = set.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (!effect.is(setMarks)) continue;
      // A mark of lines shows all that the rule is, and survives wrapping.
      const lines = new Map<number, Set<string>>();
      const { doc } = transaction.state;
      for (const { from, to, kind } of effect.value) {
        if (to > doc.length) continue;
        const last = doc.lineAt(to).number;
        const start = doc.lineAt(from).number;
        for (let n = start; n <= last; n++) {
          const line = doc.line(n);
          const classes = lines.get(line.from) ?? new Set();
          classes.add("mark-" + kind);
          if (n === start) classes.add("label-" + kind);
          lines.set(line.from, classes);
        }
      }
      const builder = new RangeSetBuilder<Decoration>();
      for (const [from, classes] of [...lines].sort(([a], [b]) => a - b)) {
        builder.add(from, from, Decoration.line({ class: [...classes].join(" ") }));
      }
      set = builder.finish();
    }
    return set;
  },
  provide: (field) => EditorView.decorations.from(field),
});

const mono = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace";

const theme = EditorView.theme({
  "&": { color: "var(--text)", backgroundColor: "var(--card)", height: "100%", fontSize: "13px" },
  "&.cm-focused": { outline: "none" }, // the frame around the editor shows the focus
  ".cm-scroller": { fontFamily: mono, lineHeight: "1.55", overflow: "auto" },
  ".cm-content": { caretColor: "var(--text)", padding: "8px 0" },
  ".cm-gutters": { backgroundColor: "var(--card)", color: "var(--muted)", border: "none" },
  ".cm-activeLine": { backgroundColor: "var(--hover)" },
  ".cm-activeLineGutter": { backgroundColor: "var(--hover)" },
  "&.cm-focused .cm-matchingBracket, .cm-matchingBracket": { backgroundColor: "var(--select)", outline: "1px solid var(--line)" },
  ".cm-selectionMatch": { backgroundColor: "var(--select)" },
  ".cm-content ::selection, .cm-content::selection": { backgroundColor: "var(--selection)" },
  ".cm-line.mark-decides": { backgroundColor: "var(--lit)", boxShadow: "inset 4px 0 0 var(--accent)" },
  ".cm-line.mark-picked": { boxShadow: "inset 4px 0 0 var(--muted)" },
  ".cm-line.mark-gained": { backgroundColor: "var(--yes-back)", boxShadow: "inset 4px 0 0 var(--yes)" },
  ".cm-line.mark-lost": { backgroundColor: "var(--no-back)", boxShadow: "inset 4px 0 0 var(--no)" },
  ".cm-line.mark-gained.mark-lost": { backgroundColor: "var(--unsure-back)", boxShadow: "inset 4px 0 0 var(--unsure)" },
  ".cm-line.label-gained::after, .cm-line.label-lost::after, .cm-line.label-decides::after": {
    fontFamily: "system-ui, sans-serif",
    fontSize: "11px",
    paddingLeft: "1.5em",
  },
  ".cm-line.label-gained::after": { content: '"+ allows more"', color: "var(--yes)" },
  ".cm-line.label-lost::after": { content: '"− allows less"', color: "var(--no)" },
  ".cm-line.label-gained.label-lost::after": { content: '"± allows more and less"', color: "var(--unsure)" },
  ".cm-line.label-decides::after": { content: '"◀ decides"', color: "var(--accent)" },
  ".cm-line.label-gained.label-decides::after": { content: '"+ allows more ◀ decides"' },
  ".cm-line.label-lost.label-decides::after": { content: '"− allows less ◀ decides"' },
  ".cm-line.label-gained.label-lost.label-decides::after": { content: '"± allows more and less ◀ decides"' },
  ".cm-tooltip": { backgroundColor: "var(--card)", color: "var(--text)", border: "1px solid var(--line)", borderRadius: "6px", boxShadow: "var(--shadow)" },
  ".cm-tooltip-autocomplete ul li": { padding: "3px 8px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected] .cm-completionDetail": { color: "var(--on-accent)" },
  ".cm-completionDetail": { color: "var(--muted)", fontStyle: "normal" },
  ".cm-diagnostic": { padding: "6px 10px", fontFamily: "system-ui, sans-serif", maxWidth: "460px", whiteSpace: "normal" },
  ".cm-diagnosticAction": {
    backgroundColor: "var(--accent)",
    color: "var(--on-accent)",
    borderRadius: "6px",
    padding: "3px 10px",
    margin: "6px 0 0",
    display: "block",
    font: "inherit",
    cursor: "pointer",
  },
  // The images of the lint package are data: URLs, which the Content-Security-Policy forbids.
  ".cm-lintRange": { backgroundImage: "none", paddingBottom: "0", textDecorationLine: "underline", textDecorationStyle: "wavy", textUnderlineOffset: "3px" },
  ".cm-lintRange-error": { backgroundImage: "none", textDecorationColor: "var(--no)" },
  ".cm-lintRange-warning": { backgroundImage: "none", textDecorationColor: "var(--unsure)" },
  ".cm-lintRange-active": { backgroundColor: "var(--select)" },
  ".cm-lint-marker": { width: "auto", height: "auto", cursor: "default" },
  ".cm-lint-marker-error": { content: "normal", color: "var(--no)" },
  ".cm-lint-marker-warning": { content: "normal", color: "var(--unsure)" },
  ".cm-lint-marker-error::before": { content: '"✗"' },
  ".cm-lint-marker-warning::before": { content: '"⚠"' },
  ".cm-diagnostic-error": { borderLeftColor: "var(--no)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--unsure)" },
  ".cm-panels": { backgroundColor: "var(--back)", color: "var(--text)", borderColor: "var(--line)" },
  ".cm-panel button, .cm-panel input": { font: "inherit", color: "inherit", backgroundColor: "var(--card)", backgroundImage: "none" },
  ".cm-placeholder": { color: "var(--muted)" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--hover)", color: "var(--text)", border: "1px solid var(--line)" },
});

const highlight = HighlightStyle.define([
  { tag: tags.propertyName, color: "var(--code-key)" },
  { tag: tags.string, color: "var(--code-string)" },
  { tag: [tags.bool, tags.null, tags.number], color: "var(--code-word)", fontWeight: "600" },
  { tag: tags.punctuation, color: "var(--muted)" },
]);

// The tooltip of a marker closes when the mouse leaves it. Outside the shadow root, where that is observed, an
// event in the tooltip looks like one anywhere in the editor.
addEventListener(
  "mousemove",
  (event) => {
    if (event.composedPath().some((e) => e instanceof Element && e.classList.contains("cm-tooltip-lint"))) event.stopImmediatePropagation();
  },
  true,
);

// Typing over a selection makes Chromium put style attributes into the editor, which the Content-Security-Policy
// forbids. So the editor replaces the selection itself.
const typeOverSelection = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { from, to, empty } = view.state.selection.main;
    if (event.inputType !== "insertText" || event.data === null || empty || view.composing) return false;
    event.preventDefault();
    const text = event.data;
    const insert = () => view.state.update(view.state.replaceSelection(text), { userEvent: "input.type", scrollIntoView: true });
    if (!view.state.facet(EditorView.inputHandler).some((handle) => handle(view, from, to, text, insert))) view.dispatch(insert());
    return true;
  },
});

// toShow scrolls to a place, unless it is in view.
function toShow(editor: EditorView, from: number): StateEffect<unknown>[] {
  const { top, bottom } = editor.lineBlockAt(from);
  const { scrollTop, clientHeight } = editor.scrollDOM;
  return top >= scrollTop && bottom <= scrollTop + clientHeight ? [] : [EditorView.scrollIntoView(from, { y: "center" })];
}

const isJSON = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

// isWhole reports whether a pasted text replaces the whole text: always a token or a link, any text if the editor is
// empty or all is selected, and a JSON object that would not leave JSON when inserted at the cursor.
function isWhole({ doc, selection: { main } }: EditorState, pasted: string): boolean {
  const text = pasted.trim();
  const isToken = /^(?:authorization:\s*)?(?:bearer\s+)?ey[\w-]+\.[\w-]+\.[\w-]*$/i.test(text);
  if (isToken || isLink(text) || doc.toString().trim() === "" || (main.from === 0 && main.to === doc.length)) return true;
  return text.startsWith("{") && isJSON(text) && !isJSON(doc.sliceString(0, main.from) + pasted + doc.sliceString(main.to));
}

/** Editor shows a text and reports what is typed. Only the first value of props.text counts. The handle sets others. */
export function Editor(props: {
  label: string;
  text: string;
  onChange: (text: string) => void;
  onPaste: (text: string) => void; // a text that takes the place of all that is there
  diagnostics: Diagnostic[];
  marks: Mark[];
  handle: (editor: EditorHandle | null) => void;
}) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const on = useRef(props);
  on.current = props;

  // useLayoutEffect, because before useEffect runs, the text could change, and the editor would miss it.
  useLayoutEffect(() => {
    const root = host.current!.shadowRoot ?? host.current!.attachShadow({ mode: "open" });
    const editor = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: props.text,
        extensions: [
          lineNumbers(),
          foldGutter(),
          history(),
          bracketMatching(),
          closeBrackets(),
          autocompletion({ icons: false }),
          json(),
          jsonLanguage.data.of({ autocomplete: complete }),
          syntaxHighlighting(highlight),
          highlightActiveLine(),
          highlightSelectionMatches(),
          lintGutter(),
          marks,
          EditorView.lineWrapping,
          placeholder("Paste a claim, a payload or a token here"),
          EditorView.contentAttributes.of({ "aria-label": props.label, spellcheck: "false" }),
          // Tab leaves the editor, so that the keyboard is not caught in it.
          keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...foldKeymap, ...completionKeymap, ...lintKeymap]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) on.current.onChange(update.state.doc.toString());
          }),
          EditorView.domEventHandlers({
            paste(event, view) {
              const text = event.clipboardData?.getData("text/plain") ?? "";
              if (text.trim() === "" || !isWhole(view.state, text)) return false;
              event.preventDefault();
              on.current.onPaste(text);
              return true;
            },
          }),
          typeOverSelection,
          theme,
        ],
      }),
    });
    view.current = editor;
    props.handle({
      replace(text) {
        if (text !== editor.state.doc.toString()) {
          editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: text }, selection: { anchor: 0 }, scrollIntoView: true });
        }
      },
      apply({ from, to, insert }) {
        editor.dispatch({ changes: { from, to, insert }, userEvent: "input" });
      },
      show(from, focus) {
        if (from > editor.state.doc.length) return;
        editor.dispatch({ effects: toShow(editor, from), ...(focus ? { selection: { anchor: from } } : {}) });
        if (focus) editor.focus();
      },
    });
    return () => {
      props.handle(null);
      view.current = null;
      editor.destroy();
    };
  }, []);

  useEffect(() => {
    const editor = view.current!;
    const length = editor.state.doc.length;
    editor.dispatch(setDiagnostics(editor.state, props.diagnostics.filter((d) => d.to <= length)));
  }, [props.diagnostics]);
  useLayoutEffect(() => {
    const editor = view.current!;
    const decides = props.marks.find((mark) => mark.kind === "decides");
    const show = decides && decides.to <= editor.state.doc.length ? toShow(editor, decides.from) : [];
    editor.dispatch({ effects: [setMarks.of(props.marks), ...show] });
  }, [props.marks]);

  return <div class="editor" ref={host} />;
}
