package analyze

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/strictjson"
	"github.com/connectperms/permissions/internal/text"
)

// A Fix is a change of a claim that makes a [Finding] go away. The zero Fix changes nothing.
type Fix struct {
	// Summary says what the fix does, for people.
	Summary string `json:"summary"`

	// Edits change the claim, in this order. Together they are a JSON Patch (RFC 6902).
	Edits []Edit `json:"patch"`

	// Changes are the regions in which the fix may change answers. It changes no answer about anything else,
	// and if there are no regions, it changes no answer.
	Changes []Region `json:"changes"`
}

// An Edit is an operation of a JSON Patch. Paths are JSON Pointers into the claim.
type Edit struct {
	Op    string          `json:"op"` // "add", "remove", "replace", "move" or "copy"
	From  string          `json:"from,omitempty"`
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value,omitempty"`
}

// ErrOtherClaim matches the error of [Fix.Apply] for a claim that is not the one the fix was made for.
var ErrOtherClaim = errors.New("the fix is for another claim")

// Apply returns the claim with all edits of the fix made: as compact JSON, with everything in its order
// and what is new at the end of its map. The claim must be the one in which Lint found what the fix is for. For an
// intersection, that is the claim of the part that [Finding.Part] counts. Fixes are made for one claim: after
// applying one, use [Lint] again to get the others.
//
// Of a claim that is a JSON string (see [permissions.AcceptStringClaim]), give the text inside.
//
// A claim that [permissions.Parse] refuses, for something else than an unknown permission, is an error that matches
// [permissions.ErrClaim]. For another claim, the error matches [ErrOtherClaim], unless the fix happens to fit. A fix
// without Changes does not fit if it would change an answer, so it cannot make another claim wider.
func (f Fix) Apply(claim []byte) ([]byte, error) {
	before, err := permissions.Parse(claim, permissions.IgnoreUnknownPermissions())
	if err != nil {
		return nil, err
	}
	all := decode(string(claim))
	for _, e := range f.Edits {
		if !all.apply(e) {
			return nil, fmt.Errorf("analyze: %w: it does not fit at %s; use Lint to get the fixes of this claim", ErrOtherClaim,
				text.Quote(cmp.Or(e.From, e.Path)))
		}
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, all.append(nil)); err != nil {
		return nil, err
	}
	if len(f.Changes) == 0 {
		after, err := permissions.Parse(compact.Bytes(), permissions.IgnoreUnknownPermissions())
		if err != nil {
			return nil, fmt.Errorf("analyze: %w: it would leave something that is not a claim; use Lint to get the fixes of "+
				"this claim", ErrOtherClaim)
		}
		if equal, _ := Equal(before, after); !equal {
			return nil, fmt.Errorf("analyze: %w: it would change answers; use Lint to get the fixes of this claim", ErrOtherClaim)
		}
	}
	return compact.Bytes(), nil
}

// A value is a JSON value of a claim. A map of scopes has members, and everything else only its text.
type value struct {
	text    string
	isMap   bool
	order   []string // the names of the members that are there or were there
	members map[string]*value
}

// decode decodes a value of a claim that has been parsed. It recurses as deep as a claim nests.
func decode(text string) *value {
	scanner := strictjson.Scanner{Text: text}
	if scanner.Space() != '{' {
		return &value{text: strings.TrimSpace(text)}
	}
	v := &value{isMap: true, members: make(map[string]*value)}
	for more := scanner.Begin('}'); more; more, _ = scanner.More('}') {
		name, member, _ := scanner.Member()
		v.set(name, decode(member))
	}
	return v
}

func (v *value) set(name string, member *value) {
	if _, ok := v.members[name]; !ok {
		v.order = append(v.order, name)
	}
	v.members[name] = member
}

// append appends the JSON of the value.
func (v *value) append(b []byte) []byte {
	if !v.isMap {
		return append(b, v.text...)
	}
	var names []string
	for _, name := range v.order {
		if v.members[name] != nil {
			names = append(names, name)
		}
	}
	return strictjson.AppendList(b, '{', names, func(b []byte, name string) []byte {
		return v.members[name].append(append(strictjson.AppendString(b, name), ':'))
	})
}

// find returns the map that has or gets the member at a pointer, and the name of the member. The map is nil
// if it is not there.
func (v *value) find(pointer string) (in *value, name string) {
	parts := strings.Split(pointer, "/")
	for i, part := range parts[1:] {
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		if in = v; in == nil || !in.isMap {
			return nil, ""
		}
		if i < len(parts)-2 {
			v = in.members[name]
		}
	}
	return in, name
}

// apply makes an edit. It reports whether the edit fits.
func (v *value) apply(e Edit) bool {
	source := e.Path
	if e.From != "" {
		source = e.From
	}
	in, name := v.find(source)
	if in == nil || e.Op != "add" && in.members[name] == nil {
		return false
	}
	found := in.members[name]
	switch e.Op {
	case "remove":
		in.members[name] = nil
		return true
	case "add", "replace":
		in.set(name, decode(string(e.Value)))
		return true
	case "move":
		in.members[name] = nil
	case "copy":
		found = decode(string(found.append(nil)))
	default:
		return false
	}
	in, name = v.find(e.Path)
	if in == nil {
		return false
	}
	in.set(name, found)
	return true
}

// A draft is a Fix before its pointers are written out, which takes time and memory where names are long.
type draft struct {
	summary string
	edits   []draftEdit
	changes []Region
}

type draftEdit struct {
	op       string
	from, to spot
	value    string
}

// A spot is a place in a claim: that of a rule or a nested map, or one that is found from there.
type spot struct {
	of    spotted // nil for the claim itself
	way   way
	scope string
}

// A way leads from the place of a rule or a map to a spot.
type way uint8

const (
	here   way = iota // the place itself
	inside            // the scope in it
	beside            // the scope in the same map
	atTop             // the same key at the top level
)

func (s spot) pointer() (pointer string) {
	if s.of != nil {
		pointer = s.of.Pointer()
	}
	last := strings.LastIndexByte(pointer, '/')
	switch s.way {
	case inside:
		return pointer + "/" + strictjson.EscapePointer(s.scope)
	case beside:
		return pointer[:last+1] + strictjson.EscapePointer(s.scope)
	case atTop:
		return pointer[last:]
	}
	return pointer
}

// fix writes the pointers out.
func (d *draft) fix() Fix {
	f := Fix{Summary: d.summary, Edits: []Edit{}, Changes: d.changes}
	for _, e := range d.edits {
		edit := Edit{Op: e.op, Path: e.to.pointer()}
		if e.from != (spot{}) {
			edit.From = e.from.pointer()
		}
		if edit.From == edit.Path {
			continue // it is where it should be
		}
		if e.value != "" {
			edit.Value = json.RawMessage(e.value)
		}
		f.Edits = append(f.Edits, edit)
	}
	if f.Changes == nil {
		f.Changes = []Region{}
	}
	return f
}
