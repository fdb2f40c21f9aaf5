package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/cmd/connectperms/internal/recognize"
	"github.com/connectperms/permissions/internal/strictjson"
	"github.com/connectperms/permissions/usertoken"
)

const (
	tokenVariable = "CONNECTPERMS_TOKEN"

	standardInput   = "standard input"
	tokenInVariable = "the environment variable " + tokenVariable

	// maxInput is the longest input that is read. The parser of claims takes 256 MiB.
	maxInput = 300 << 20
)

// A source is what was read from somewhere, for messages that name a place in it.
type source struct {
	name string // of a file, or standardInput, or tokenInVariable
	data []byte
}

// isFile reports whether the text is from a file that has a name.
func (t source) isFile() bool { return t.name != standardInput && t.name != tokenInVariable }

// at returns an error about a place in the text.
func (t source) at(offset int, problem string) error {
	line, column := place(t.data, offset)
	return &placedError{t.name, line, column, problem, nil}
}

// A placedError is an error about a place in an input. It wraps the mistake in the claim if it is about one.
type placedError struct {
	file         string
	line, column int
	problem      string
	mistake      error
}

func (e *placedError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", oneLine(e.file), e.line, e.column, e.problem)
}

func (e *placedError) Unwrap() error { return e.mistake }

// place returns the line and the column of an offset, both counted from 1, the column in characters.
func place(data []byte, offset int) (line, column int) {
	before := data[:max(0, min(offset, len(data)))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[start:]) + 1
}

// read reads a file, or standard input if the name is -.
func (a *app) read(name string) (source, error) {
	var data []byte
	var err error
	if name == "-" {
		if a.hasReadStdin {
			return source{}, errors.New("standard input can be read once only")
		}
		a.hasReadStdin, name = true, standardInput
		data, err = a.readStdin()
	} else {
		data, err = readFile(name)
	}
	if err != nil {
		return source{}, fileError(name, err)
	}
	return source{name, recognize.Decode(data)}, nil
}

func readFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readAll(file)
}

func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if len(data) > maxInput {
		return nil, fmt.Errorf("it has more than %d MiB", maxInput>>20)
	}
	return data, err
}

func (a *app) readStdin() ([]byte, error) {
	if _, ok := a.env.Terminal(a.env.Stdin); !ok {
		a.progress.start("reading standard input")
		defer a.progress.stop()
		return readAll(a.env.Stdin)
	}
	a.err.say(styleBold, "Paste a token, a claim, a header line or a curl command. It is not shown. Then press Ctrl-D.")
	if err := a.err.flush(); err != nil {
		return nil, err
	}
	return a.env.Secret()
}

// fileError names the file and says what is wrong with it, without the name of a system call.
func fileError(name string, err error) error {
	if path := new(fs.PathError); errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("%s: %w", oneLine(name), err)
}

// A claimFlags has the flags that say how a claim is read.
type claimFlags struct {
	extra                []string
	ignore, acceptString bool
}

func (f *claimFlags) add(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.extra, "extra-permission", nil,
		"a `NAME` that is a permission beside the ten; may be repeated")
	c.Flags().BoolVar(&f.ignore, "ignore-unknown-permissions", false,
		"ignore names in a claim that are not permissions")
	c.Flags().BoolVar(&f.acceptString, "accept-string-claim", false,
		"accept a claim that is a JSON string which holds the object")
}

func (f *claimFlags) options() (opts []permissions.Option) {
	for _, name := range f.extra {
		opts = append(opts, permissions.WithPermissions(permissions.Permission(name)))
	}
	if f.ignore {
		opts = append(opts, permissions.IgnoreUnknownPermissions())
	}
	if f.acceptString {
		opts = append(opts, permissions.AcceptStringClaim())
	}
	return opts
}

// An inputFlags has the flags that say where the input is.
type inputFlags struct {
	token, claim string
	claimFlags
}

func (f *inputFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.token, "token", "", "read the token from a `FILE`, or from standard input with -")
	c.Flags().StringVar(&f.claim, "claim", "", "read the claim from a `FILE`, or from standard input with -")
	f.claimFlags.add(c)
}

// A subject is an input and the policy that it states.
type subject struct {
	source source
	input  recognize.Input
	policy *permissions.Policy // nil if the input was refused
	claims *usertoken.Claims   // nil for a claim, and if the input was refused

	claim   string // the text of the claim; "" if there is none, or if the token was verified
	claimAt int    // where it is in source.data, or -1: there is none, or it is inside a token

	verified bool
}

// open reads the input that the flags or the environment name, or standard input.
func (a *app) open(c *cobra.Command, f *inputFlags) (source, error) {
	switch value := a.env.Getenv(tokenVariable); {
	case c.Flags().Changed("token") && c.Flags().Changed("claim"):
		return source{}, errors.New("give either --token or --claim")
	case c.Flags().Changed("token"):
		return a.read(f.token)
	case c.Flags().Changed("claim"):
		return a.read(f.claim)
	case value != "":
		return source{tokenInVariable, []byte(value)}, nil
	}
	return a.read("-")
}

// recognize says what an input is. It refuses a claim where the flags say a token, and the reverse.
func (a *app) recognize(c *cobra.Command, t source) (recognize.Input, error) {
	in, err := recognize.Find(t.data)
	if err != nil {
		offset := 0
		if e := new(recognize.Error); errors.As(err, &e) {
			offset = e.Offset
		}
		return in, t.at(offset, err.Error())
	}
	if c == nil {
		return in, nil
	}
	if flag := c.Flags().Lookup("token"); flag != nil && flag.Changed && in.Form != recognize.Token {
		return in, t.at(in.Offset, "it is "+in.Form.String()+" and not a token; give it with --claim")
	}
	if flag := c.Flags().Lookup("claim"); flag != nil && flag.Changed && in.Form == recognize.Token {
		return in, t.at(in.Offset, "it is a token and not a claim; give it with --token")
	}
	return in, nil
}

// parse reads the policy that an input states. It verifies nothing.
func parse(t source, in recognize.Input, opts []permissions.Option) (*subject, error) {
	s := &subject{source: t, input: in, claimAt: -1}
	switch in.Form {
	case recognize.Claim:
		policy, err := permissions.Parse([]byte(in.Text), opts...)
		if err != nil {
			return nil, claimError(t, in.Offset, err)
		}
		s.policy, s.claim, s.claimAt = policy, in.Text, in.Offset
	case recognize.Payload:
		claims := usertoken.NewClaims(opts...)
		if err := claims.UnmarshalJSON([]byte(in.Text)); err != nil {
			return nil, payloadError(t, in.Offset, in.Text, err)
		}
		s.policy, s.claims = claims.Policy, claims
		if m, ok := find(in.Text, permissions.ClaimName); ok {
			s.claim, s.claimAt = m.value, in.Offset+m.at
		}
	case recognize.Token:
		_, payload, err := recognize.Split(in.Text)
		if err != nil {
			return nil, t.at(in.Offset, err.Error())
		}
		inside := recognize.Input{Form: recognize.Payload, Text: string(payload)}
		inner, err := parse(source{"the payload of the token", payload}, inside, opts)
		if errors.As(err, new(usageError)) {
			return nil, err
		}
		if err != nil {
			line, column := place(t.data, in.Offset)
			return nil, &placedError{t.name, line, column, err.Error(), err}
		}
		s.policy, s.claims, s.claim = inner.policy, inner.claims, inner.claim
	}
	return s, nil
}

// A member is a member of a JSON object.
type member struct {
	name, value string
	nameAt, at  int // where the name and the value are in the text
}

// members returns the members of a JSON object as far as it is well-formed.
func members(object string) (list []member) {
	s := strictjson.Scanner{Text: object}
	if s.Space() != '{' {
		return nil
	}
	for more := s.Begin('}'); more; {
		if s.Space() != '"' {
			return list
		}
		m := member{nameAt: s.Pos}
		var ok bool
		if m.name, ok = s.Name(); !ok || !s.Punctuation(':') {
			return list
		}
		s.Space()
		m.at = s.Pos
		if m.value, ok = s.Value(); !ok {
			return list
		}
		list = append(list, m)
		if more, ok = s.More('}'); !ok {
			return list
		}
	}
	return list
}

func find(object, name string) (member, bool) {
	for _, m := range members(object) {
		if m.name == name {
			return m, true
		}
	}
	return member{}, false
}

// claimError names the place of a mistake in a claim that begins at an offset of a text. For a claim that is a JSON
// string it names the place of the string, because escapes shift the offsets inside it.
func claimError(t source, offset int, err error) error {
	parse := new(permissions.ParseError)
	if !errors.As(err, &parse) {
		return usageError{plainError(err)} // a flag is wrong
	}
	if parse.Offset > 0 && t.data[offset] != '"' {
		offset += parse.Offset
	}
	return t.atMistake(offset, parse)
}

func (t source) atMistake(offset int, mistake *permissions.ParseError) error {
	line, column := place(t.data, offset)
	return &placedError{t.name, line, column, parseProblem(mistake), mistake}
}

func parseProblem(e *permissions.ParseError) string {
	var b strings.Builder
	b.WriteString("the claim")
	if e.Pointer != "" {
		b.WriteString(" at " + quote(e.Pointer))
	}
	b.WriteString(": ")
	if e.Found != "" {
		b.WriteString(e.Found + " ")
	}
	b.WriteString(e.Problem)
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return inFlags(b.String())
}

// payloadError names the place of a mistake in a claims set that begins at an offset of a text.
func payloadError(t source, offset int, payload string, err error) error {
	if parse := new(permissions.ParseError); errors.As(err, &parse) {
		if m, ok := find(payload, permissions.ClaimName); ok {
			return claimError(t, offset+m.at, err)
		}
		return t.atMistake(offset, parse)
	}
	refused := new(usertoken.TokenError)
	if !errors.As(err, &refused) {
		return usageError{plainError(err)} // a flag is wrong
	}
	m, _ := find(payload, refused.Field)
	return t.at(offset+m.nameAt, tokenProblem(refused))
}

// tokenProblem says what is wrong with a token: what was wanted and what came.
func tokenProblem(e *usertoken.TokenError) string {
	s := e.Field
	if e.Found != "" {
		s += " " + e.Found
	}
	s += " " + e.Problem
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	if parse := new(permissions.ParseError); errors.As(e.Err, &parse) {
		s += ": " + parseProblem(parse)
	}
	return inFlags(s)
}

// load reads the input of a command that asks about claims and does not care who signed them.
func (a *app) load(c *cobra.Command, f *inputFlags) (*subject, error) {
	t, err := a.open(c, f)
	if err != nil {
		return nil, err
	}
	in, err := a.recognize(c, t)
	if err != nil {
		return nil, err
	}
	return a.parse(t, in, f.options())
}

// loadFile reads a claim, a claims set or a token from a file that is an argument.
func (a *app) loadFile(name string, opts []permissions.Option) (*subject, error) {
	t, err := a.read(name)
	if err != nil {
		return nil, err
	}
	in, err := a.recognize(nil, t)
	if err != nil {
		return nil, err
	}
	return a.parse(t, in, opts)
}

// parse is the function parse, with a word if it takes long.
func (a *app) parse(t source, in recognize.Input, opts []permissions.Option) (*subject, error) {
	a.progress.start("reading " + t.name)
	defer a.progress.stop()
	return parse(t, in, opts)
}
