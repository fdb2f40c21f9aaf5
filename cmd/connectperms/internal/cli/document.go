package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/connectperms/permissions/internal/strictjson"
)

// A kind is what a node of a document is.
type kind string

const (
	isNull   kind = "null"
	isBool   kind = "a boolean"
	isNumber kind = "a number"
	isString kind = "a string"
	isArray  kind = "a list"
	isObject kind = "an object"
)

// A node is a value in a JSON or YAML document, with its place.
type node struct {
	source       *source
	line, column int
	kind         kind
	text         string // of a scalar
	list         []*node
	members      []pair
}

type pair struct{ key, value *node }

// has reports whether there is a member with a name.
func (n *node) has(name string) bool {
	return slices.ContainsFunc(n.members, func(m pair) bool { return m.key.text == name })
}

// member returns the value of the only member with a name, and nil if there is none or if it is repeated.
func (n *node) member(name string) (value *node) {
	for _, m := range n.members {
		switch {
		case m.key.text != name:
		case value != nil:
			return nil
		default:
			value = m.value
		}
	}
	return value
}

// err returns an error about the place of the node.
func (n *node) err(problem string) error {
	return fmt.Errorf("%s:%d:%d: %s", oneLine(n.source.name), n.line, n.column, problem)
}

// json returns the node as JSON. Repeated members are kept, so that a strict reader sees them.
func (n *node) json() []byte {
	data, _ := n.jsonWithPlaces()
	return data
}

// A span says which node begins at an offset of a JSON text.
type span struct {
	offset int
	node   *node
}

func (n *node) jsonWithPlaces() (data []byte, spans []span) {
	var write func(n *node)
	write = func(n *node) {
		spans = append(spans, span{len(data), n})
		switch n.kind {
		case isString:
			data = strictjson.AppendString(data, n.text)
		case isArray:
			data = append(data, '[')
			for i, item := range n.list {
				if i > 0 {
					data = append(data, ',')
				}
				write(item)
			}
			data = append(data, ']')
		case isObject:
			data = append(data, '{')
			for i, m := range n.members {
				if i > 0 {
					data = append(data, ',')
				}
				write(m.key)
				data = append(data, ':')
				write(m.value)
			}
			data = append(data, '}')
		default:
			data = append(data, n.text...)
		}
	}
	write(n)
	return data, spans
}

// document reads JSON or YAML. A file named *.json must be JSON. Any other text that begins with [ or { is read as
// YAML if it is not JSON.
func document(s source) (*node, error) {
	trimmed := bytes.TrimLeft(s.data, " \t\r\n")
	named := strings.HasSuffix(s.name, ".json")
	if named || len(trimmed) > 0 && (trimmed[0] == '[' || trimmed[0] == '{') {
		n, err := documentJSON(s)
		if err == nil || named {
			return n, err
		}
	}
	return documentYAML(s)
}

// maxDepth is how deep a document nests. A decision table nests about ten levels deep.
const maxDepth = 100

type jsonReader struct {
	source *source
	strictjson.Scanner
	counted, line, column int // up to where lines and characters were counted
}

func documentJSON(s source) (*node, error) {
	r := &jsonReader{source: &s, Scanner: strictjson.Scanner{Text: string(s.data)}}
	n, ok := r.value(0)
	if ok {
		ok = r.End()
	}
	if !ok {
		return nil, s.at(r.Pos, "the JSON "+r.Problem)
	}
	return n, nil
}

// here returns a node that begins at the position of the reader.
func (r *jsonReader) here() *node {
	for ; r.counted < r.Pos; r.counted++ {
		switch {
		case r.Text[r.counted] == '\n':
			r.line, r.column = r.line+1, 0
		case utf8.RuneStart(r.Text[r.counted]):
			r.column++
		}
	}
	return &node{source: r.source, line: r.line + 1, column: r.column + 1}
}

func (r *jsonReader) value(depth int) (n *node, ok bool) {
	c := r.Space()
	n = r.here()
	if depth > maxDepth {
		r.Problem = "nests too deep"
		return n, false
	}
	switch c {
	case '[':
		n.kind = isArray
		ok = true
		for more := r.Begin(']'); more; {
			item, good := r.value(depth + 1)
			if !good {
				return n, false
			}
			n.list = append(n.list, item)
			if more, ok = r.More(']'); !ok {
				return n, false
			}
		}
		return n, ok
	case '{':
		n.kind = isObject
		ok = true
		for more := r.Begin('}'); more; {
			if r.Space() != '"' {
				return n, r.Unexpected("a name")
			}
			key := r.here()
			key.kind = isString
			var good bool
			if key.text, good = r.Name(); !good || !r.Punctuation(':') {
				return n, false
			}
			value, good := r.value(depth + 1)
			if !good {
				return n, false
			}
			n.members = append(n.members, pair{key, value})
			if more, ok = r.More('}'); !ok {
				return n, false
			}
		}
		return n, ok
	case '"':
		n.kind = isString
		n.text, ok = r.Str()
		return n, ok
	}
	start := r.Pos
	if _, _, ok = r.Scalar(); !ok {
		return n, false
	}
	n.text = r.Text[start:r.Pos]
	switch n.text {
	case "true", "false":
		n.kind = isBool
	case "null":
		n.kind = isNull
	default:
		n.kind = isNumber
	}
	return n, true
}

// maxNodes is how many nodes a YAML document may have, with its aliases expanded.
const maxNodes = 1 << 22

func documentYAML(s source) (*node, error) {
	if !utf8.Valid(s.data) {
		return nil, s.at(0, "it is not text in UTF-8")
	}
	if len(bytes.TrimSpace(s.data)) == 0 {
		return nil, s.at(0, "there is nothing in it")
	}
	loader, err := yaml.NewLoader(bytes.NewReader(s.data))
	if err != nil {
		return nil, err
	}
	var root, more yaml.Node
	if err := loader.Load(&root); err != nil {
		return nil, yamlError(s, err)
	}
	if err := loader.Load(&more); !errors.Is(err, io.EOF) {
		if err != nil {
			return nil, yamlError(s, err)
		}
		return nil, fmt.Errorf("%s:%d:1: a second document begins here; one is read from each file", s.name, more.Line)
	}
	if len(root.Content) == 0 {
		return nil, s.at(0, "there is nothing in it")
	}
	r := &yamlReader{source: &s, left: maxNodes}
	return r.value(root.Content[0], 0)
}

// yamlError gives an error of the YAML parser the name of the file and its place.
func yamlError(s source, err error) error {
	load := new(yaml.LoadError)
	if !errors.As(err, &load) {
		return s.at(0, "the YAML is wrong")
	}
	line, column := max(load.Mark.Line, 1), max(load.Mark.Column, 1)
	return fmt.Errorf("%s:%d:%d: the YAML is wrong: %s", oneLine(s.name), line, column, oneLine(load.Message))
}

type yamlReader struct {
	source *source
	left   int
}

func (r *yamlReader) value(y *yaml.Node, depth int) (*node, error) {
	n := &node{source: r.source, line: y.Line, column: y.Column}
	if y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	if r.left--; r.left < 0 || depth > maxDepth {
		return nil, n.err("it nests too deep, or its aliases make it too large")
	}
	switch y.Kind {
	case yaml.SequenceNode:
		n.kind = isArray
		for _, item := range y.Content {
			value, err := r.value(item, depth+1)
			if err != nil {
				return nil, err
			}
			n.list = append(n.list, value)
		}
		return n, nil
	case yaml.MappingNode:
		n.kind = isObject
		for i := 0; i+1 < len(y.Content); i += 2 {
			key, err := r.value(y.Content[i], depth+1)
			if err != nil {
				return nil, err
			}
			if key.kind != isString {
				return nil, key.err("the name of a member must be a string, but is " + string(key.kind))
			}
			value, err := r.value(y.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			n.members = append(n.members, pair{key, value})
		}
		return n, nil
	}
	n.text = y.Value
	switch tag := y.ShortTag(); tag {
	case "!!str", "!!timestamp":
		n.kind = isString
	case "!!bool":
		n.kind = isBool
		n.text = strings.ToLower(y.Value)
	case "!!null":
		n.kind, n.text = isNull, "null"
	case "!!int", "!!float":
		n.kind = isNumber
		if _, ok := (&strictjson.Scanner{Text: n.text}).Number(); !ok {
			n.text = "0" // a number is nowhere allowed, and the message says only that it is one
		}
	default:
		return nil, n.err("the tag " + quote(tag) + " is not supported")
	}
	return n, nil
}
