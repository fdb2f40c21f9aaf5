package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/text"
)

// placeholder is where a person writes the name of an integration, in the command that inspect shows for a
// request. An integration that has this very name can be asked about with --target.
const placeholder = "NAME"

// A targetFlags has the flags that say what a question is about.
type targetFlags struct {
	json, integration         string
	user                      bool
	credential, configuration thingFlags
}

// A thingFlags has the flags of a credential or of a configuration.
type thingFlags struct {
	reference, id, externalID string
	noID, noExternalID        bool
}

func (f *targetFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.json, "target", "", "the target as `JSON`, such as {\"integration\":\"slack\"}")
	c.Flags().BoolVar(&f.user, "user", false, "ask about the user, which is what is asked about without another flag")
	c.Flags().StringVar(&f.integration, "integration", "", "the `NAME` of an integration, such as slack")
	f.credential.add(c, "credential")
	f.configuration.add(c, "configuration")
}

func (f *thingFlags) add(c *cobra.Command, kind string) {
	c.Flags().StringVar(&f.reference, kind, "", "the "+kind+" by a `REF`: a UUID is its ID, anything else its external ID")
	c.Flags().StringVar(&f.id, kind+"-id", "", "the `UUID` of the "+kind)
	c.Flags().StringVar(&f.externalID, kind+"-external-id", "", "the external `ID` of the "+kind)
	c.Flags().BoolVar(&f.noID, "no-"+kind+"-id", false, "the "+kind+" has no ID: it is yet to be created")
	c.Flags().BoolVar(&f.noExternalID, "no-"+kind+"-external-id", false, "the "+kind+" has no external ID")
}

// target returns the target that the flags describe. A flag with an empty value is a mistake, and not a flag
// that was left out.
func (f *targetFlags) target(c *cobra.Command) (permissions.Target, error) {
	given := c.Flags().Changed
	credential, hasCredential, err := f.credential.identifiers(c, "credential")
	if err != nil {
		return permissions.Target{}, err
	}
	configuration, hasConfiguration, err := f.configuration.identifiers(c, "configuration")
	if err != nil {
		return permissions.Target{}, err
	}
	deep := given("integration") || hasCredential || hasConfiguration
	var target permissions.Target
	switch {
	case given("target") && (deep || f.user):
		return target, errors.New("give the target either as --target or with the other flags")
	case f.user && deep:
		return target, errors.New("--user is the user alone; leave it out to ask about an integration")
	case given("target"):
		target, err := parseTarget(f.json)
		if err != nil {
			return target, fmt.Errorf("--target: %w", questionError(err))
		}
		return target, nil
	case !deep:
		return permissions.User(), nil
	case !given("integration"):
		return target, errors.New("a credential and a configuration are in an integration; give its name with --integration")
	}
	if f.integration == placeholder {
		return target, errors.New("write the name of the integration in place of " + placeholder)
	}
	target = permissions.Integration(f.integration)
	if hasCredential || hasConfiguration {
		target = target.Credential(credential...)
	}
	if hasConfiguration {
		target = target.Configuration(configuration...)
	}
	if err := target.Err(); err != nil {
		return target, questionError(err)
	}
	return target, nil
}

// parseTarget reads a target as JSON, or the target of a whole log line. A log line has a member msg.
// With the member level it is the target of a log line, which differs in three ways: it has the level, it has no
// empty groups, and names are as [text.Plain] prints them.
func parseTarget(given string) (target permissions.Target, err error) {
	line, err := documentJSON(source{name: "--target", data: []byte(given)})
	if err != nil || line.kind != isObject {
		return target, target.UnmarshalJSON([]byte(given)) // it says what is wrong
	}
	if line.has("msg") {
		logged := line.member("target")
		if logged == nil {
			return target, errors.New("the log line has not exactly one target; copy the target alone, or read the line's error")
		}
		return parseTarget(string(logged.json()))
	}
	level := ""
	has := make(map[string]bool)
	var members []pair
	for _, m := range line.members {
		switch name := m.key.text; {
		case name == "level" && m.value.kind == isString:
			level = m.value.text
		case name == "error":
			return target, errors.New("the line is about an invalid target; its error says what is wrong")
		default:
			has[name] = true
			members = append(members, m)
		}
	}
	if level == "" {
		return target, target.UnmarshalJSON([]byte(given))
	}
	for kind := permissions.KindCredential; kind <= permissions.KindConfiguration; kind++ {
		if name := kind.String(); !has[name] && (name == level || level == permissions.KindConfiguration.String()) {
			members = append(members, pair{&node{kind: isString, text: name}, &node{kind: isObject}})
		}
	}
	line.members = members
	if err := line.unquote(); err != nil {
		return target, err
	}
	if err := target.UnmarshalJSON(line.json()); err != nil {
		return target, err
	}
	if own := target.Level().String(); own != level {
		return permissions.Target{}, fmt.Errorf("the level is %s, but the rest is a target of the level %s; copy the target of the line whole",
			quote(level), own)
	}
	return target, nil
}

// unquote undoes [text.Plain] in each string of a node.
func (n *node) unquote() error {
	if n.kind == isString && strings.HasPrefix(n.text, `"`) {
		name, err := strconv.Unquote(n.text)
		if err != nil {
			return errors.New("a name was shortened in the log; write it as it is")
		}
		n.text = name
	}
	for _, m := range n.members {
		if err := m.value.unquote(); err != nil {
			return err
		}
	}
	return nil
}

func (f *thingFlags) identifiers(c *cobra.Command, kind string) (list []permissions.Identifier, given bool, err error) {
	changed := c.Flags().Changed
	reference, id, externalID := changed(kind), changed(kind+"-id"), changed(kind+"-external-id")
	switch {
	case id && f.noID:
		return nil, false, fmt.Errorf("--%s-id and --no-%s-id contradict each other", kind, kind)
	case externalID && f.noExternalID:
		return nil, false, fmt.Errorf("--%s-external-id and --no-%s-external-id contradict each other", kind, kind)
	case reference && (id || externalID || f.noID):
		return nil, false, fmt.Errorf("--%s is one string for either identifier; "+
			"give --%s-id and --%s-external-id in its place", kind, kind, kind)
	}
	if reference {
		list = append(list, permissions.Reference(f.reference))
	}
	if id {
		list = append(list, permissions.ID(f.id))
	}
	if f.noID {
		list = append(list, permissions.NoID())
	}
	if externalID {
		list = append(list, permissions.ExternalID(f.externalID))
	}
	if f.noExternalID {
		list = append(list, permissions.NoExternalID())
	}
	return list, len(list) > 0, nil
}

// questionError says what is wrong with a question, and which flag to use.
func questionError(err error) error {
	q := new(permissions.QuestionError)
	if !errors.As(err, &q) {
		return err
	}
	s := q.Field
	if q.Value != "" {
		s += " " + quote(q.Value)
	}
	s += " " + q.Problem
	if q.Remedy != "" {
		s += "; " + q.Remedy
	}
	return errors.New(inFlags(s))
}

// action reads the name of an action. It compares exactly.
func action(p *permissions.Policy, name string) (permissions.Permission, error) {
	action := permissions.Permission(name)
	known := permissions.AllPermissions()
	if p != nil && len(p.Vocabulary()) > 0 {
		known = p.Vocabulary()
	}
	for _, k := range known {
		if k == action {
			return action, nil
		}
	}
	// The library says what was probably meant.
	if err := permissions.Unrestricted().Check(action, permissions.Integration("any")); err != nil {
		return "", questionError(err)
	}
	return action, nil
}

// flags returns the flags that describe a target, for a command line that asks about it.
func flags(t permissions.Target) (list []string) {
	for _, i := range []struct {
		which permissions.Identifiers
		flag  string
	}{
		{permissions.IntegrationName, "integration"},
		{permissions.CredentialID, "credential-id"}, {permissions.CredentialExternalID, "credential-external-id"},
		{permissions.ConfigurationID, "configuration-id"}, {permissions.ConfigurationExternalID, "configuration-external-id"},
	} {
		switch value, state := t.Lookup(i.which); state {
		case permissions.Known:
			list = append(list, "--"+i.flag+" "+shellQuote(value))
		case permissions.Absent:
			list = append(list, "--no-"+i.flag)
		}
	}
	return list
}

// isPlain reports whether a word is printed as it is: it is short, and has no invisible characters.
func isPlain(s string) bool { return len(s) <= text.MaxQuoted && oneLine(s) == s }

// shellQuote quotes a word for a POSIX shell. Of a word that is not plain, it quotes what [text.Plain] prints. That
// is safe to run, but is another word.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.,/:@%+=", r)
	}
	if !isPlain(s) {
		s = text.Plain(s)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
