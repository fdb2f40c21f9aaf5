package engine

import (
	"errors"
	"strconv"
	"strings"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/text"
)

// questionFailure returns the failure for an error of the library.
func questionFailure(err error) (*Failure, bool) {
	var question *permissions.QuestionError
	if errors.As(err, &question) {
		return &Failure{
			Code: "question", Message: err.Error(),
			Field: question.Field, Found: question.Value, Problem: question.Problem, Remedy: question.Remedy,
		}, true
	}
	var narrow *permissions.NarrowError
	if errors.As(err, &narrow) {
		return &Failure{Code: "narrow", Message: err.Error(), Problem: narrow.Problem, Remedy: narrow.Remedy}, true
	}
	return nil, false
}

// An asked is a question of a request, and the claim that it is asked of.
type asked struct {
	claim   string
	outline []string // the claims whose view numbers the rows of the answer; if empty, that of claim alone
	action  permissions.Permission
	target  permissions.Target
}

// asked takes a question. An invalid one is an error.
func (r *Request) asked() (asked, error) {
	q := asked{claim: r.Text("claim"), outline: r.texts("outline"), action: permissions.Permission(r.Text("action"))}
	target := r.target("target")
	if err := r.End(); err != nil {
		return q, err
	}
	if target.err != nil {
		return q, target.err
	}
	q.target = target.Target
	return q, permissions.Unrestricted().Check(q.action, q.target)
}

// A written is a question as Go code, as JSON and as a command line.
type written struct {
	Go      string `json:"go"`
	JSON    string `json:"json"`
	Command string `json:"command"`
}

func (q *asked) written() (written, error) {
	target, err := q.target.MarshalJSON()
	escaped := text.EscapeJSON(target)
	return written{
		Go:      "err := policy.Check(permissions." + constants[q.action] + ", " + goTarget(q.target) + ")",
		JSON:    `{"action": ` + strconv.Quote(string(q.action)) + `, "target": ` + spaced(escaped) + "}",
		Command: command(q.action, q.target, string(escaped), len(escaped) > len(target)),
	}, err
}

type questionAnswer struct {
	written
	Answer  string   `json:"answer,omitempty"`
	Summary string   `json:"summary,omitempty"`
	Rule    *ruleRef `json:"rule,omitempty"`
}

func (e *Engine) question(r *Request) (any, error) {
	q, err := r.asked()
	if err != nil {
		return nil, err
	}
	var answer questionAnswer
	if answer.written, err = q.written(); err != nil || q.claim == "" {
		return answer, err
	}
	c, v, err := e.claimOf(q)
	if err != nil {
		return nil, err
	}
	d := c.policy.Decide(q.action, q.target)
	answer.Answer, answer.Summary, answer.Rule = answerOf(d), d.String(), c.ref(c.number(d.Rule), v)
	return answer, nil
}

// spaced returns compact JSON with a space after each colon and comma.
func spaced(compact []byte) string {
	var b strings.Builder
	for text := string(compact); text != ""; {
		n := 1
		if text[0] == '"' {
			n = stringEnd(text, 0)
		}
		b.WriteString(text[:n])
		if c := text[0]; c == ':' || c == ',' {
			b.WriteByte(' ')
		}
		text = text[n:]
	}
	return b.String()
}

// A level is a level of a target that has two identifiers.
type level struct {
	kind           permissions.Kind
	id, externalID permissions.Identifiers
	method         string // of a target
}

var levels = []level{
	{permissions.KindCredential, permissions.CredentialID, permissions.CredentialExternalID, "Credential"},
	{permissions.KindConfiguration, permissions.ConfigurationID, permissions.ConfigurationExternalID, "Configuration"},
}

// goTarget returns a target as Go.
func goTarget(t permissions.Target) string {
	name, state := t.Lookup(permissions.IntegrationName)
	if state != permissions.Known {
		return "permissions.User()"
	}
	var b strings.Builder
	b.WriteString("permissions.Integration(" + strconv.Quote(name) + ")")
	for _, l := range levels {
		if t.Level() < l.kind {
			break
		}
		var ids []string
		for _, which := range []struct {
			identifier permissions.Identifiers
			name       string
		}{{l.id, "ID"}, {l.externalID, "ExternalID"}} {
			switch text, state := t.Lookup(which.identifier); state {
			case permissions.Known:
				ids = append(ids, "permissions."+which.name+"("+strconv.Quote(text)+")")
			case permissions.Absent:
				ids = append(ids, "permissions.No"+which.name+"()")
			}
		}
		b.WriteString("." + l.method + "(" + strings.Join(ids, ", ") + ")")
	}
	return b.String()
}

// command returns a question as a command line for a POSIX shell. It gives the target with flags. It gives it as JSON
// if a level has no known identifier, which flags cannot say, or if a name has invisible characters.
func command(action permissions.Permission, t permissions.Target, json string, isHidden bool) string {
	question := []string{"connectperms", "explain", string(action), "--claim", "claim.json"}
	asJSON := strings.Join(append(question, flag("target", json)), " ")
	if isHidden {
		return asJSON
	}
	words := question
	name, state := t.Lookup(permissions.IntegrationName)
	if state == permissions.Known {
		words = append(words, flag("integration", name))
	}
	for _, l := range levels {
		if t.Level() < l.kind {
			break
		}
		known := 0
		for _, which := range []struct {
			identifier permissions.Identifiers
			name       string
		}{{l.id, "id"}, {l.externalID, "external-id"}} {
			switch text, state := t.Lookup(which.identifier); state {
			case permissions.Known:
				words = append(words, flag(l.kind.String()+"-"+which.name, text))
				known++
			case permissions.Absent:
				words = append(words, "--no-"+l.kind.String()+"-"+which.name)
				known++
			}
		}
		if known == 0 {
			return asJSON
		}
	}
	if t.Level() == permissions.KindUser {
		words = append(words, "--user")
	}
	return strings.Join(words, " ")
}

// flag returns a flag with a value. The form with an equals sign takes a value that begins with a hyphen.
func flag(name, value string) string {
	if strings.HasPrefix(value, "-") {
		return "--" + name + "=" + shell(value)
	}
	return "--" + name + " " + shell(value)
}

// shell returns a text as one word of a POSIX shell.
func shell(s string) string {
	if s != "" && !strings.ContainsFunc(s, needsQuotes) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func needsQuotes(r rune) bool {
	return !isLetterOrDigit(r) && !strings.ContainsRune("_-.,:/@", r)
}
