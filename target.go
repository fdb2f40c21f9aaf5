package permissions

import (
	"hash/maphash"
	"log/slog"
	"strings"

	"github.com/connectperms/permissions/internal/strictjson"
	"github.com/connectperms/permissions/internal/text"
)

// A Target is what an action is asked of (SPEC 3.1): the user, an integration, a credential of an
// integration, or a configuration of a credential. [User] and [Integration] make one, and
// [Target.Credential] and [Target.Configuration] go down from it:
//
//	permissions.Integration(row.Integration).
//		Credential(permissions.ID(row.ID), permissions.ExternalIDPtr(row.ExternalID))
//
// Give every identifier that is known, of the object that will be used. What is not given is unknown:
// nobody has looked. A policy never says yes if what is unknown could make it a no (SPEC 4.7). Say
// that an identifier is absent ([NoID], [NoExternalID]) only after looking it up.
//
// A Target is a value that does not change, and == compares targets. If a constructor is given something
// wrong, such as an empty name, the target is invalid. Every question about it is denied, and [Target.Err] and
// [Policy.Check] say what is wrong. The zero Target is invalid.
type Target struct {
	integration               name
	credential, configuration object

	level Kind // 0 if a constructor has refused the target, see problem

	// Constructors do not check names and external IDs: questionError does. If level is 0, known is
	// the identifier that is wrong, if one is, and integration.text is the text that was given for it.
	known, absent Identifiers
	problem       problem
}

// A name is a text with its hash.
type name struct {
	text string
	hash uint64
}

// An object is what is known of a credential or a configuration.
type object struct {
	id         uuid
	externalID name
}

// seed makes hashes of names unpredictable, so that nobody can choose names whose hashes
// collide. It is not modified.
var seed = maphash.MakeSeed()

func newName(s string) name {
	work(len(s))
	return name{s, maphash.String(seed, s)}
}

// equal reports whether two names are the same. That takes no time if they share memory, as equal names of one
// claim do, or if their hashes or lengths differ.
func (n *name) equal(m *name) bool {
	if n.hash != m.hash || len(n.text) != len(m.text) {
		return false
	}
	workToCompare(n.text, m.text)
	return n.text == m.text
}

// Identifiers is a set of the identifiers of a [Target]. The zero Identifiers is empty.
type Identifiers uint8

// The identifiers that a target can have (SPEC 3.1).
const (
	IntegrationName Identifiers = 1 << iota
	CredentialExternalID
	CredentialID
	ConfigurationExternalID
	ConfigurationID

	credentialIdentifiers    = CredentialExternalID | CredentialID
	configurationIdentifiers = ConfigurationExternalID | ConfigurationID
	textIdentifiers          = IntegrationName | CredentialExternalID | ConfigurationExternalID
	allIdentifiers           = IntegrationName | credentialIdentifiers | configurationIdentifiers
)

// identifierNames has the names of the identifiers for people and for programs, in the order in
// which they are listed. It is not modified.
var identifierNames = [...]struct {
	identifier   Identifiers
	people, code string
}{
	{IntegrationName, "integration", "integration"},
	{CredentialID, "credential ID", "credential.id"},
	{CredentialExternalID, "credential external ID", "credential.externalId"},
	{ConfigurationID, "configuration ID", "configuration.id"},
	{ConfigurationExternalID, "configuration external ID", "configuration.externalId"},
}

// Has reports whether s contains every identifier in others.
func (s Identifiers) Has(others Identifiers) bool { return s&others == others }

// String returns the names of the identifiers for people, such as "credential external ID",
// separated by "and".
func (s Identifiers) String() string {
	var list []string
	for _, n := range identifierNames {
		if s.Has(n.identifier) {
			list = append(list, n.people)
		}
	}
	return strings.Join(list, " and ")
}

// areSeveral reports whether there are two identifiers or more.
func (s Identifiers) areSeveral() bool { return s&(s-1) != 0 }

// codes returns the paths of the identifiers in the JSON of a target, such as
// credential.externalId.
func (s Identifiers) codes() []string {
	list := []string{}
	for _, n := range identifierNames {
		if s.Has(n.identifier) {
			list = append(list, n.code)
		}
	}
	return list
}

// MarshalJSON returns an array of the places of the identifiers in the JSON of a [Target], such as
// ["credential.externalId"].
func (s Identifiers) MarshalJSON() ([]byte, error) {
	return strictjson.AppendList(nil, '[', s.codes(), strictjson.AppendString), nil
}

// identifiersOf returns the identifiers of a level.
func identifiersOf(k Kind) Identifiers { return levelIdentifiers[k] }

// identifiersTo returns the identifiers of a level and of those above it.
func identifiersTo(k Kind) Identifiers { return identifiersUpTo[k] }

// idOf returns which identifier is the ID of a level: CredentialID, ConfigurationID, or none.
func idOf(k Kind) Identifiers { return levelIdentifiers[k] & (CredentialID | ConfigurationID) }

// levelIdentifiers and identifiersUpTo are not modified.
var (
	levelIdentifiers = [...]Identifiers{
		KindIntegration: IntegrationName, KindCredential: credentialIdentifiers, KindConfiguration: configurationIdentifiers,
	}
	identifiersUpTo = [...]Identifiers{
		KindIntegration: IntegrationName, KindCredential: IntegrationName | credentialIdentifiers, KindConfiguration: allIdentifiers,
	}
)

// A State is what is known of an identifier (SPEC 3.2). The zero State is [Unknown].
type State uint8

const (
	Unknown State = iota // nobody has looked
	Known                // the target has its text
	Absent               // it was looked up, and does not exist
)

// String returns "unknown", "known" or "absent".
func (s State) String() string {
	switch s {
	case Known:
		return "known"
	case Absent:
		return "absent"
	}
	return "unknown"
}

// An Identifier says what is known of the ID or the external ID of a credential or a
// configuration. It is for [Target.Credential] and [Target.Configuration]. The zero Identifier
// makes a target invalid.
type Identifier struct {
	// If text is empty, id is an ID that was given as bytes, or zero for the zero Identifier. Otherwise
	// id.first is the kind, and text is what the constructor was given. An empty one is replaced with "-",
	// and the kind then has noText. So an Identifier has four words, which the compiler keeps in registers,
	// and UUID allocates nothing.
	text string
	id   uuid
}

type identifierKind uint8

const (
	idText identifierKind = 1 + iota
	idBytes
	externalIDText
	referenceText
	noID
	noExternalID

	noText identifierKind = 0x80 // is set in a kind whose text is empty
)

// newIdentifier returns an Identifier that is not an ID as bytes.
func newIdentifier(kind identifierKind, text string) Identifier {
	if text == "" {
		kind, text = kind|noText, "-"
	}
	return Identifier{text, uuid{first: uint64(kind)}}
}

// read returns the kind and the text of an Identifier. The kind is 0 for the zero Identifier.
func (i *Identifier) read() (kind identifierKind, text string) {
	switch kind = identifierKind(i.id.first); {
	case *i == Identifier{}:
		return 0, ""
	case i.text == "":
		return idBytes, ""
	case kind&noText != 0:
		return kind &^ noText, ""
	}
	return kind, i.text
}

// ID is a known ID: a UUID in its usual spelling, in any letter case (SPEC 2.5). Any other text
// makes a target invalid.
func ID(uuid string) Identifier { return newIdentifier(idText, uuid) }

// UUID is a known ID as 16 bytes, which is what pgtype.UUID and uuid.UUID of google/uuid hold. A target
// with it equals the target with the [ID] of the same text.
//
// If the column can be NULL, check for that before the call, because the UUID of 16 zeros is an ID like
// any other. For NULL give no ID at all, so that the ID is unknown. [NoID] is for an object that is yet to be
// created.
func UUID(id [16]byte) Identifier {
	if id == [16]byte{} {
		return ID("00000000-0000-0000-0000-000000000000") // its bytes are those of the zero Identifier
	}
	return Identifier{id: uuidOf(&id)}
}

// ExternalID is a known external ID, as the object has it: without ext: or another prefix of a scope.
// For what a request header of the platform says, take [Reference]. An external ID that SPEC 2.4
// forbids, such as the empty one, makes a target invalid.
func ExternalID(id string) Identifier { return newIdentifier(externalIDText, id) }

// NoID says that there is no ID: the object is yet to be created (SPEC 3.2). Use it only after you have looked for
// the object. If it exists, a rule that names its ID would have no say.
func NoID() Identifier { return newIdentifier(noID, "") }

// NoExternalID says that there is no external ID: it was looked up, and the object has none
// (SPEC 3.2).
func NoExternalID() Identifier { return newIdentifier(noExternalID, "") }

// ExternalIDOrNone is [ExternalID] if valid, and [NoExternalID] otherwise. It fits the fields of
// sql.NullString, sql.Null[string] and pgtype.Text:
//
//	permissions.ExternalIDOrNone(row.ExternalID.String, row.ExternalID.Valid)
//
// Use it only for a column that the query did select. A struct field that no query has filled is
// not valid either, but then the external ID is unknown and not absent: leave the identifier out.
// Some tables have an empty text where there is no external ID. Then valid is id != "".
func ExternalIDOrNone(id string, valid bool) Identifier {
	if !valid {
		return NoExternalID()
	}
	return ExternalID(id)
}

// ExternalIDPtr is [ExternalID] of what id points to, and [NoExternalID] if id is nil.
//
// Use it only for a column that the query did select. A pointer that no query has filled is nil
// too, but then the external ID is unknown and not absent: leave the identifier out. A pointer to an
// empty text makes a target invalid: see [ExternalIDOrNone].
func ExternalIDPtr(id *string) Identifier {
	if id == nil {
		return NoExternalID()
	}
	return ExternalID(*id)
}

// Reference returns the identifier that a string stands for in the platform's SDK and its request
// headers (SPEC 3.5). A UUID in its usual spelling is an ID. Anything else, including a UUID in another spelling, is
// an external ID, after one leading ext: has been removed. The other identifier stays unknown.
//
// Look the object up by the same rule. A UUID parser, or a column of the type uuid, may accept another
// spelling as an ID, and then find another object than the one that the policy decided about. So does a
// comparison of external IDs that ignores letter case, accents or spaces.
//
// A caller that has loaded the object gives the object's own identifiers, and not a Reference
// beside them: two IDs, or two external IDs, make a target invalid.
func Reference(ref string) Identifier { return newIdentifier(referenceText, ref) }

// A problem is why a target is invalid. The zero problem is that of the zero Target.
type problem uint8

const (
	problemZero problem = iota
	problemNotIntegration
	problemNotCredential
	problemRepeated
	problemZeroIdentifier
	problemNotUUID
)

// User is the user, to whom App Events and User Metadata belong.
func User() Target { return Target{level: KindUser} }

// Integration is the integration with a name, such as "salesforce". A name that SPEC 2.4 forbids
// makes the target invalid. So does the empty name, which never means the user.
func Integration(name string) Target {
	return Target{level: KindIntegration, known: IntegrationName, integration: newName(name)}
}

// Credential is a credential of the integration t. Each of its two identifiers is known or absent
// if ids says so, and otherwise unknown. So Credential() is some credential, and nobody can say
// which.
//
// The result is invalid if t is invalid or is not an integration, if ids has the zero Identifier,
// an ID that is not a UUID or an external ID that SPEC 2.4 forbids, or if ids gives one identifier
// twice.
func (t Target) Credential(ids ...Identifier) Target {
	t.descend(KindCredential, ids)
	return t
}

// Configuration is a configuration of the credential t. In all else it is like [Target.Credential].
func (t Target) Configuration(ids ...Identifier) Target {
	t.descend(KindConfiguration, ids)
	return t
}

// descend turns the target t into one that is a level deeper, or invalid if t is not one level above.
func (t *Target) descend(to Kind, ids []Identifier) {
	if t.level != to-1 {
		if t.level != 0 {
			t.fail(problemNotIntegration+problem(to-KindCredential), 0, "")
		}
		return
	}
	o, id, externalID := &t.credential, CredentialID, CredentialExternalID
	if to == KindConfiguration {
		o, id, externalID = &t.configuration, ConfigurationID, ConfigurationExternalID
	}
	t.level = to
	for i := range ids {
		kind, s := ids[i].read()
		state, which := &t.known, id
		switch kind {
		case idText:
			if !o.id.parse(s) {
				t.fail(problemNotUUID, id, s)
				return
			}
		case idBytes:
			o.id = ids[i].id
		case externalIDText:
			which = externalID
			o.externalID = newName(s)
		case referenceText:
			if o.id.parse(s) {
				break
			}
			which = externalID
			o.externalID = newName(strings.TrimPrefix(s, extPrefix))
		case noID:
			state = &t.absent
		case noExternalID:
			state, which = &t.absent, externalID
		default:
			t.fail(problemZeroIdentifier, id, "")
			return
		}
		if (t.known | t.absent).Has(which) {
			t.fail(problemRepeated, which, s)
			return
		}
		*state |= which
	}
}

// fail makes t invalid for a problem. which is the identifier that is wrong, if one is, and text
// what was given for it.
func (t *Target) fail(p problem, which Identifiers, text string) {
	*t = Target{problem: p, known: which, integration: name{text: text}}
}

// clone returns a target that keeps nothing of the texts that t was made from.
func (t *Target) clone() Target {
	return Target{
		integration:   t.integration.clone(),
		credential:    object{t.credential.id, t.credential.externalID.clone()},
		configuration: object{t.configuration.id, t.configuration.externalID.clone()},
		level:         t.level, known: t.known, absent: t.absent, problem: t.problem,
	}
}

func (n *name) clone() name { return name{strings.Clone(n.text), n.hash} }

// Err returns nil for a valid target. Otherwise it returns a [*QuestionError], which matches
// [ErrQuestion] and names what is wrong and what to do instead. See SPEC 3.4.
func (t Target) Err() error {
	if e := t.questionError(); e != nil {
		return e
	}
	return nil
}

// questionError returns what is wrong with an invalid target, and nil for a valid one.
func (t *Target) questionError() *QuestionError {
	if t.level == 0 {
		e := &QuestionError{Field: t.known.String(), Value: strings.Clone(t.integration.text)}
		switch t.problem {
		case problemZero:
			e.Field, e.Problem, e.Remedy = "target", "is the zero Target", "begin with User or Integration"
		case problemNotIntegration:
			e.Field, e.Problem, e.Remedy = "target", "has a credential in something that is not an integration",
				"call Credential on an Integration, once"
		case problemNotCredential:
			e.Field, e.Problem, e.Remedy = "target", "has a configuration in something that is not a credential",
				"call Configuration on a Credential, once; Credential() is some credential"
		case problemRepeated:
			e.Problem, e.Remedy = "is given twice", "give each identifier once; a Reference is one of them"
		case problemZeroIdentifier:
			level := KindCredential
			if t.known == ConfigurationID {
				level = KindConfiguration
			}
			e.Field, e.Problem = level.String(), "was given the zero Identifier"
			e.Remedy = "use ID, ExternalID, NoID or NoExternalID, and leave out what is unknown"
		case problemNotUUID:
			e.Problem, e.Remedy = nameProblem(credentialByID, t.integration.text), "external IDs go to ExternalID, and references to Reference"
			if respelled := usualUUID(t.integration.text); respelled != "" {
				e.Remedy = "an ID has the form 8-4-4-4-12; " + didYouMean(respelled)
			}
		}
		return e
	}
	for p := integrationByName; p <= configurationByExternalID; p++ {
		if p.isText() && t.known.Has(p.identifiers()) {
			if name := t.name(p.identifiers()).text; nameProblem(p, name) != "" {
				return &QuestionError{
					Field: p.identifiers().String(), Value: strings.Clone(name), Problem: nameProblem(p, name), Remedy: nameRemedy(p, name),
				}
			}
		}
	}
	return nil
}

// nameRemedy says what to do instead of giving a name or external ID that is forbidden.
func nameRemedy(p pattern, name string) string {
	switch {
	case name == "" && p == integrationByName:
		return "the user is User(), never an empty name"
	case name == "":
		return "say NoExternalID() if it was looked up and does not exist, and leave it out if nobody has looked"
	case p == integrationByName && looksExternal(name):
		return "an integration has a name, and no external ID"
	}
	return "give it as the platform has it"
}

// name returns a name or external ID of t.
func (t *Target) name(which Identifiers) *name {
	switch which {
	case CredentialExternalID:
		return &t.credential.externalID
	case ConfigurationExternalID:
		return &t.configuration.externalID
	}
	return &t.integration
}

// hasValidNames reports whether SPEC 2.4 allows each name and external ID in which that t knows.
func (t *Target) hasValidNames(which Identifiers) bool {
	which &= t.known
	return (which&IntegrationName == 0 || nameProblem(integrationByName, t.integration.text) == "") &&
		(which&CredentialExternalID == 0 || nameProblem(credentialByExternalID, t.credential.externalID.text) == "") &&
		(which&ConfigurationExternalID == 0 ||
			nameProblem(configurationByExternalID, t.configuration.externalID.text) == "")
}

// Level returns what the target is: a user, an integration, a credential or a configuration. It is
// 0 for an invalid target.
func (t Target) Level() Kind {
	if t.questionError() != nil {
		return 0
	}
	return t.level
}

// Lookup returns what is known of one identifier, and its text if that is [Known]: an integration's
// name, an ID in lower case, or an external ID. Lookup returns [Unknown] for an identifier of a
// level that the target does not have, for an invalid target, and if which is not exactly one
// identifier.
func (t Target) Lookup(which Identifiers) (text string, state State) {
	switch {
	case t.questionError() != nil || which == 0 || which.areSeveral():
		return "", Unknown
	case t.absent.Has(which):
		return "", Absent
	case !t.known.Has(which):
		return "", Unknown
	}
	switch which {
	case CredentialID:
		return t.credential.id.String(), Known
	case ConfigurationID:
		return t.configuration.id.String(), Known
	}
	return t.name(which).text, Known
}

// Unknown returns the identifiers that are unknown at the levels that the target has. It is empty
// for an invalid target. What an action adds to the question (SPEC 4.3) is not part of it.
func (t Target) Unknown() Identifiers {
	if t.questionError() != nil {
		return 0
	}
	return t.unknown()
}

func (t *Target) unknown() Identifiers { return identifiersTo(t.level) &^ (t.known | t.absent) }

// String returns the target in one line for people: "the user", or what it has, such as
//
//	integration "slack", credential ID 3fa85f64-5717-4562-b3fc-2c963f66afa6, no credential external ID
//
// It shortens what is long. It leaves out an unknown identifier. A level with both identifiers unknown is "some
// credential" or "some configuration". For an invalid target it says what is wrong.
func (t Target) String() string {
	if e := t.questionError(); e != nil {
		return "an invalid target (" + e.explain() + ")"
	}
	if t.level == KindUser {
		return "the user"
	}
	var list []string
	for _, n := range identifierNames {
		switch s, state := t.Lookup(n.identifier); state {
		case Absent:
			list = append(list, "no "+n.people)
		case Known:
			if n.identifier&(CredentialID|ConfigurationID) == 0 {
				s = text.Quote(s)
			}
			list = append(list, n.people+" "+s)
		}
	}
	for k := KindCredential; k <= t.level; k++ {
		if t.unknown().Has(identifiersOf(k)) {
			list = append(list, "some "+k.String())
		}
	}
	return strings.Join(list, ", ")
}

// LogValue returns a group: the level, and what [Target.MarshalJSON] writes, with a null for what is
// absent. Names are as [Target.String] has them, without quotation marks where they need none. For
// an invalid target the group has the error.
func (t Target) LogValue() slog.Value {
	if e := t.questionError(); e != nil {
		return slog.GroupValue(slog.String("error", e.explain()))
	}
	attrs := []slog.Attr{slog.String("level", t.level.String())}
	for k := KindIntegration; k <= t.level; k++ {
		var members []any
		for _, n := range identifierNames {
			if n.identifier&identifiersOf(k) == 0 {
				continue
			}
			key := n.code[strings.IndexByte(n.code, '.')+1:]
			switch s, state := t.Lookup(n.identifier); {
			case state == Absent:
				members = append(members, slog.Any(key, nil))
			case state == Known && k == KindIntegration:
				attrs = append(attrs, slog.String(key, text.Plain(s)))
			case state == Known:
				members = append(members, slog.String(key, text.Plain(s)))
			}
		}
		if k > KindIntegration {
			attrs = append(attrs, slog.Group(k.String(), members...))
		}
	}
	return slog.GroupValue(attrs...)
}

// MarshalJSON returns the target as a JSON object (SPEC 3.6): {} for the user, and otherwise
// integration, credential and configuration as far as the target goes. In a credential and a
// configuration, id and externalId are strings, null for absent, and left out for unknown. An
// invalid target is an error that matches [ErrQuestion].
func (t Target) MarshalJSON() ([]byte, error) {
	if e := t.questionError(); e != nil {
		return nil, e
	}
	b := []byte{'{'}
	if t.level >= KindIntegration {
		b = strictjson.AppendString(append(b, `"integration":`...), t.integration.text)
	}
	for k := KindCredential; k <= t.level; k++ {
		b = append(append(b, `,"`...), k.String()...)
		b = append(b, `":{`...)
		for _, n := range identifierNames {
			s, state := t.Lookup(n.identifier)
			if n.identifier&identifiersOf(k) == 0 || state == Unknown {
				continue
			}
			if b[len(b)-1] != '{' {
				b = append(b, ',')
			}
			b = append(strictjson.AppendString(b, n.code[strings.IndexByte(n.code, '.')+1:]), ':')
			if state == Absent {
				b = append(b, "null"...)
			} else {
				b = strictjson.AppendString(b, s)
			}
		}
		b = append(b, '}')
	}
	return append(b, '}'), nil
}

// UnmarshalJSON reads what [Target.MarshalJSON] writes, strictly (SPEC 3.6). Any other member, one
// that is repeated or in another letter case, a value of another type, and an invalid target are
// errors that match [ErrQuestion]. On an error t stays as it was.
//
// Beware: encoding/json matches the names of struct fields without regard to letter case, and calls
// UnmarshalJSON again for a repeated member. So a struct that holds a Target can get another one than a
// strict reader sees. And do not take a target from the body of a request: who writes "externalId": null
// there claims that nobody need look it up, which can turn a no into a yes.
func (t *Target) UnmarshalJSON(data []byte) error {
	d := targetDecoder{Scanner: strictjson.Scanner{Text: string(data)}}
	if parsed, ok := d.target(); !ok || !d.End() {
		if d.err == nil {
			d.wrong("target", "is not well-formed JSON: the text "+d.Problem)
		}
		return d.err
	} else if e := parsed.questionError(); e != nil {
		return e
	} else {
		*t = parsed
	}
	return nil
}

// A targetDecoder reads the JSON of a target.
type targetDecoder struct {
	strictjson.Scanner
	err *QuestionError // the mistake; nil if it is one of syntax, which the Scanner has
}

// wrong notes that the JSON is not that of a target.
func (d *targetDecoder) wrong(field, problem string) bool {
	d.err = &QuestionError{Field: field, Problem: problem, Remedy: `a target in JSON looks like {"integration":"slack","credential":{"id":"..."}}`}
	return false
}

// object reads an object. For each member it calls the function, which reads the value.
func (d *targetDecoder) object(field string, member func(name string) bool) bool {
	if d.Space() != '{' {
		return d.wrong(field, "is not a JSON object")
	}
	var seen strictjson.Names
	more, ok := d.Begin('}'), true
	for more && ok {
		var name string
		if name, ok = d.Name(); !ok {
			return false
		}
		if !seen.Add(name) {
			return d.wrong(field, "has the member "+text.Quote(name)+" twice")
		}
		if !d.Punctuation(':') || !member(name) {
			return false
		}
		more, ok = d.More('}')
	}
	return ok
}

func (d *targetDecoder) target() (t Target, ok bool) {
	var integration string
	var levels [2]struct {
		ids     []Identifier
		present bool
	}
	hasIntegration := false
	ok = d.object("target", func(name string) bool {
		switch name {
		case "integration":
			hasIntegration = true
			return d.str("integration", &integration)
		case "credential":
			levels[0].present = true
			return d.identifiers(name, &levels[0].ids)
		case "configuration":
			levels[1].present = true
			return d.identifiers(name, &levels[1].ids)
		}
		return d.wrong("target", "has the unknown member "+text.Quote(name))
	})
	if !ok {
		return t, false
	}
	t = User()
	if hasIntegration {
		t = Integration(strings.Clone(integration))
	}
	if levels[0].present {
		t = t.Credential(levels[0].ids...)
	}
	if levels[1].present {
		t = t.Configuration(levels[1].ids...)
	}
	return t, true
}

// identifiers reads the object of a credential or a configuration.
func (d *targetDecoder) identifiers(field string, ids *[]Identifier) bool {
	return d.object(field, func(name string) bool {
		known, absent := ID, NoID
		switch name {
		case "id":
		case "externalId":
			known, absent = ExternalID, NoExternalID
		default:
			return d.wrong(field, "has the unknown member "+text.Quote(name))
		}
		if d.Space() == 'n' {
			*ids = append(*ids, absent())
			return d.Literal("null")
		}
		var s string
		if !d.str(field+"."+name, &s) {
			return false
		}
		*ids = append(*ids, known(strings.Clone(s)))
		return true
	})
}

// str reads a string.
func (d *targetDecoder) str(field string, to *string) (ok bool) {
	if c := d.Space(); c != '"' {
		if d.Pos == len(d.Text) {
			return d.Unexpected("a value")
		}
		return d.wrong(field, "is not a string")
	}
	*to, ok = d.Str()
	return ok
}
