package otelpermissions

import (
	"errors"
	"slices"

	"github.com/golang-jwt/jwt/v5"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

// Values of attributes that are not codes of another package.
const (
	yes   = "yes"
	no    = "no"
	some  = "some"
	none  = "none"
	other = "other"
)

// A question has the values of the attributes of one question that a policy was asked.
type question struct{ asked, action, answer, reason string }

type questionLabels struct {
	attributes []attribute.KeyValue // without spare capacity, so that append copies
	options    []metric.AddOption
}

// allQuestions returns the labels of all questions about some actions. They are made when an Observer is, because
// that takes longer than a decision.
func allQuestions(actions []permissions.Permission) map[question]questionLabels {
	all := make(map[question]questionLabels)
	add := func(q question) {
		set := attribute.NewSet(
			attribute.String("asked", q.asked), attribute.String("action", q.action),
			attribute.String("answer", q.answer), attribute.String("reason", q.reason),
		)
		all[q] = questionLabels{slices.Clip(set.ToSlice()), []metric.AddOption{metric.WithAttributeSet(set)}}
	}
	for _, action := range append(actions, other) {
		for reason := range permissions.ReasonNoClaim + 1 {
			add(question{permissions.AskedAction.String(), string(action), yes, reason.String()})
			add(question{permissions.AskedAction.String(), string(action), no, reason.String()})
		}
		add(question{permissions.AskedSelection.String(), string(action), some, none})
	}
	add(question{permissions.AskedSelection.String(), none, some, none})
	for _, answer := range []string{yes, no} {
		add(question{permissions.AskedPermissions.String(), none, answer, none})
		add(question{permissions.AskedVisible.String(), none, answer, none})
	}
	add(question{other, other, other, other})
	return all
}

// labelsOf returns the labels of an observation.
func (o *Observer) labelsOf(observation permissions.Observation) questionLabels {
	q := question{observation.Asked.String(), string(observation.Action), no, none}
	switch observation.Asked {
	case permissions.AskedAction:
		q.reason = observation.Decision.Reason.String()
		q.answer = answerOf(observation.Decision.Allowed)
	case permissions.AskedPermissions:
		q.action = none
		q.answer = answerOf(!observation.Permissions.IsEmpty())
	case permissions.AskedVisible:
		q.action = none
		q.answer = answerOf(observation.Visible)
	case permissions.AskedSelection:
		q.answer = some
		if q.action == "" {
			q.action = none
		}
	}
	if labels, ok := o.questions[q]; ok {
		return labels
	}
	q.action = other
	if labels, ok := o.questions[q]; ok {
		return labels
	}
	return o.questions[question{other, other, other, other}]
}

func answerOf(answer bool) string {
	if answer {
		return yes
	}
	return no
}

// An outcome has the values of the attributes of one verification.
type outcome struct {
	code       string
	remembered bool
}

const (
	accepted        = "accepted"
	keysUnavailable = "keys_unavailable"
	badClaim        = "bad_claim"
	refused         = "refused"
)

// codes has the outcome for each kind of [usertoken.TokenError].
var codes = map[error]string{
	jwt.ErrTokenMalformed:            "malformed",
	jwt.ErrTokenUnverifiable:         "unverifiable",
	jwt.ErrTokenSignatureInvalid:     "bad_signature",
	jwt.ErrTokenExpired:              "expired",
	jwt.ErrTokenNotValidYet:          "not_yet_valid",
	jwt.ErrTokenUsedBeforeIssued:     "issued_in_future",
	jwt.ErrTokenInvalidAudience:      "wrong_audience",
	jwt.ErrTokenInvalidIssuer:        "wrong_issuer",
	jwt.ErrTokenRequiredClaimMissing: "missing_claim",
}

// allOutcomes returns the labels of all outcomes.
func allOutcomes() map[outcome][]metric.RecordOption {
	all := make(map[outcome][]metric.RecordOption)
	add := func(code string) {
		for _, remembered := range []bool{false, true} {
			all[outcome{code, remembered}] = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(
				attribute.String("outcome", code), attribute.Bool("remembered", remembered),
			))}
		}
	}
	for _, code := range []string{accepted, keysUnavailable, badClaim, refused} {
		add(code)
	}
	for _, code := range codes {
		add(code)
	}
	return all
}

// codeOf returns the outcome for an error of a Verifier.
func codeOf(err error) string {
	var token *usertoken.TokenError
	switch {
	case err == nil:
		return accepted
	case errors.Is(err, usertoken.ErrKeys):
		return keysUnavailable
	case !errors.As(err, &token):
		return refused
	}
	// Err can also be what a key source returned, which can match ErrClaim. Then Kind is another one.
	if token.Kind == jwt.ErrTokenMalformed && errors.Is(token.Err, permissions.ErrClaim) {
		return badClaim
	}
	for kind, code := range codes { // a look-up would panic for a Kind that cannot be hashed
		if token.Kind == kind {
			return code
		}
	}
	return refused
}
