package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/connectperms/permissions/cmd/connectperms/internal/recognize"
	"github.com/connectperms/permissions/internal/text"
)

// A style is the escape sequence that begins a colour, or nothing.
type style string

const (
	stylePlain style = ""
	styleBold  style = "\x1b[1m"
	styleGood  style = "\x1b[32m"
	styleBad   style = "\x1b[31m"
	styleWarn  style = "\x1b[33m"
	styleFaint style = "\x1b[2m"

	styleEnd = "\x1b[0m"
)

// A printer writes to a stream, and to a terminal with colours and lines that fit. What it prints for people
// has no tokens in it, even where a name in a claim is one, and no characters that a terminal obeys.
type printer struct {
	w      *bufio.Writer
	width  int // of the terminal, or 0
	colour bool
	err    error
}

func newPrinter(env Env, w io.Writer) *printer {
	p := &printer{w: bufio.NewWriter(w)}
	if width, ok := env.Terminal(w); ok {
		p.width = max(width, 1)
		p.colour = env.Getenv("NO_COLOR") == "" && env.Getenv("TERM") != "dumb"
	}
	return p
}

// isTerminal reports whether people read what is printed as it comes.
func (p *printer) isTerminal() bool { return p.width > 0 }

// Write writes bytes as they are. After an error it writes nothing, and flush returns the error.
func (p *printer) Write(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.w.Write(b)
	p.err = err
	return n, err
}

func (p *printer) flush() error {
	if p.err == nil {
		p.err = p.w.Flush()
	}
	return p.err
}

// paint returns a text in a style, on a terminal with colours.
func (p *printer) paint(s style, text string) string {
	if !p.colour || s == stylePlain || text == "" {
		return text
	}
	return string(s) + text + styleEnd
}

// shown returns a text as it may be shown to people.
func shown(text string) string { return visible(recognize.Redact(text)) }

// say prints lines in a style. It breaks lines that are wider than the terminal.
func (p *printer) say(s style, text string) {
	text = shown(text)
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		for _, part := range wrap(line, p.width) {
			fmt.Fprintln(p, p.paint(s, part))
		}
	}
}

// sayf is say with a format.
func (p *printer) sayf(s style, format string, args ...any) {
	p.say(s, fmt.Sprintf(format, args...))
}

// label prints a name and a text in two columns.
func (p *printer) label(s style, name, text string) {
	text = shown(text)
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			name = ""
		}
		first := fmt.Sprintf("%-10s ", name)
		for j, part := range wrapAt(line, p.width-len(first), 0) {
			if j > 0 {
				first = strings.Repeat(" ", len(first))
			}
			fmt.Fprintln(p, strings.TrimRight(p.paint(styleBold, first)+p.paint(s, part), " "))
		}
	}
}

// item prints a text after a mark. Its lines are indented as the first one.
func (p *printer) item(mark, text string) {
	for _, line := range wrapAt(shown(text), p.width-len(mark), 0) {
		fmt.Fprintln(p, mark+line)
		mark = strings.Repeat(" ", len(mark))
	}
}

// prose prints the paragraphs of a help text, and wraps them for a terminal. Lines that are indented are not joined.
func (p *printer) prose(text string) {
	if p.isTerminal() {
		text = lineInParagraph.ReplaceAllString(text, "$1 $2")
	}
	for line := range strings.SplitSeq(text, "\n") {
		for _, part := range wrapAt(line, p.width, 0) {
			fmt.Fprintln(p, part)
		}
	}
}

var lineInParagraph = regexp.MustCompile(`([^\n])\n([^ \n])`)

// json prints a value as indented JSON, with escapes in place of invisible characters.
func (p *printer) json(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := p.Write(text.EscapeJSON(b.Bytes()))
	return err
}

// claim prints a claim as it is, but to a terminal with escapes in place of invisible characters.
func (p *printer) claim(claim []byte) error {
	if p.isTerminal() {
		claim = text.EscapeJSON(claim)
	}
	_, err := p.Write(claim)
	return err
}

// wrap breaks a line into lines that are no wider than width, if that is not 0. The lines after the first
// are indented by four more than the line.
func wrap(line string, width int) []string { return wrapAt(line, width, 4) }

func wrapAt(line string, width, hanging int) (lines []string) {
	if width <= 0 || runewidth.StringWidth(line) <= width {
		return []string{line}
	}
	indent := len(line) - len(strings.TrimLeft(line, " "))
	rest := line[indent:]
	prefix := strings.Repeat(" ", min(indent, width/2))
	next := strings.Repeat(" ", min(indent+hanging, width/2))
	for runewidth.StringWidth(prefix+rest) > width {
		cut := breakAt(rest, width-len(prefix))
		if cut == 0 {
			break
		}
		lines = append(lines, prefix+strings.TrimRight(rest[:cut], " "))
		rest, prefix = strings.TrimLeft(rest[cut:], " "), next
	}
	if rest == "" {
		return lines
	}
	return append(lines, prefix+rest)
}

// breakAt returns where to break a text so that the first part is no wider than width: at the last space, or after
// the last slash or comma where the last space would leave the line half empty. If there is no such place within
// width, it returns the first one after that, and 0 if there is none at all.
func breakAt(text string, width int) (cut int) {
	soft, column := 0, 0
	for i, r := range text {
		if r == ' ' && i > 0 && (column <= width || cut == 0 && soft == 0) {
			cut = i
		}
		column += runewidth.RuneWidth(r)
		if (r == '/' || r == ',') && i+1 < len(text) && (column <= width || cut == 0 && soft == 0) {
			soft = i + 1
		}
		if column > width && (cut > 0 || soft > 0) {
			break
		}
	}
	if cut == 0 || cut < width/2 && soft > cut && runewidth.StringWidth(text[:soft]) <= width {
		return soft
	}
	return cut
}

// plural returns a number with a noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// A progress says what takes long, on a terminal.
type progress struct {
	p     *printer
	after time.Duration
	end   func()
}

func newProgress(p *printer, after time.Duration) *progress {
	return &progress{p: p, after: after, end: func() {}}
}

// start shows what the tool is doing once g.after has passed, until stop or the next start.
func (g *progress) start(doing string) {
	g.stop()
	if !g.p.isTerminal() {
		return
	}
	quit := make(chan struct{})
	var wait sync.WaitGroup
	begun := time.Now()
	wait.Go(func() {
		shown := 0
		timer := time.NewTimer(g.after)
		defer timer.Stop()
		for {
			select {
			case <-quit:
				if shown > 0 {
					fmt.Fprint(g.p, "\r"+strings.Repeat(" ", shown)+"\r")
					_ = g.p.flush() // the end of a message that is not needed any more
				}
				return
			case <-timer.C:
				line := fmt.Sprintf("%s, %d s ...", oneLine(doing), int(time.Since(begun).Seconds()))
				line = runewidth.Truncate(line, g.p.width-1, "")
				shown = max(shown, runewidth.StringWidth(line))
				fmt.Fprint(g.p, "\r"+line)
				_ = g.p.flush()
				timer.Reset(time.Second)
			}
		}
	})
	g.end = func() { close(quit); wait.Wait() }
}

// stop removes what start said.
func (g *progress) stop() {
	g.end()
	g.end = func() {}
}
