package cli

import (
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/connectperms/permissions/internal/text"
)

// inFlags replaces what a message of the library says of its API with the flags of this tool.
func inFlags(message string) string {
	message = phrases.Replace(message)
	return option.ReplaceAllStringFunc(message, func(name string) string { return "--" + flagOf[name] })
}

var phrases = strings.NewReplacer(
	"the user is User(), never an empty name", "to ask about the user, leave the flag out",
	"say NoExternalID() if it was looked up and does not exist, and leave it out if nobody has looked",
	"if it has none, say so with --no-credential-external-id or --no-configuration-external-id, "+
		"and if nobody has looked, leave the flag out",
	"call Credential on an Integration, once", "a credential is in an integration",
	"call Configuration on a Credential, once; Credential() is some credential",
	"a configuration is in a credential, and {} is some credential",
	"a Reference is one of them", "--credential and --configuration give one of them",
	"external IDs go to ExternalID, and references to Reference",
	"give an external ID with --credential-external-id or --configuration-external-id",
	"new credential: NoID(), and ExternalID or NoExternalID()",
	"new credential: --no-credential-id, and --credential-external-id or --no-credential-external-id",
	"new configuration: NoID(), and ExternalID or NoExternalID()",
	"new configuration: --no-configuration-id, and --configuration-external-id or --no-configuration-external-id",
	"the PublicKey of what ParsePrivateKey returns, or openssl pkey -pubout", "make it with openssl pkey -pubout",
	"ParsePublicKey: ", "", "ParsePrivateKey: ", "", "NewSigner: ", "", "NewVerifier: ", "",
)

// flagOf has the flags for the options of the library.
var flagOf = map[string]string{
	"AcceptStringClaim": "accept-string-claim", "AllowMissingAudience": "allow-missing-audience",
	"IgnoreUnknownPermissions": "ignore-unknown-permissions", "RequireClaim": "require-claim",
	"WithAudience": "audience", "WithClaims": "own-claims", "WithIssuer": "issuer", "WithKeyID": "key-id",
	"WithKeySource": "jwks", "WithKeys": "public-key", "WithLeeway": "leeway", "WithLifetime": "lifetime",
	"WithMaxTokenSize": "max-token-size", "WithPermissions": "extra-permission", "WithTokenID": "token-id",
	"WithType": "type",
}

var option = regexp.MustCompile(`\b(?:AcceptStringClaim|AllowMissingAudience|IgnoreUnknownPermissions|RequireClaim|` +
	`With(?:Audience|Claims|Issuer|KeyID|KeySource|Keys|Leeway|Lifetime|MaxTokenSize|Permissions|TokenID|Type))\b`)

// plainError is an error of the library in the words of this tool.
func plainError(err error) error {
	message := err.Error()
	for _, prefix := range []string{"usertoken: ", "permissions: ", "analyze: "} {
		message = strings.TrimPrefix(message, prefix)
	}
	return errors.New(inFlags(message))
}

// visible returns a text with an escape in place of each character that a terminal obeys or that a reader does not
// see, and of each byte that is not UTF-8. Only line breaks stay.
func visible(s string) string {
	isHarmless := func(r rune) bool { return r >= ' ' && r <= '~' || r == '\n' }
	if strings.IndexFunc(s, func(r rune) bool { return !isHarmless(r) }) < 0 {
		return s // most texts
	}
	var b strings.Builder
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		if isHarmless(r) {
			b.WriteRune(r)
		} else {
			escaped := quote(s[:size])
			b.WriteString(escaped[1 : len(escaped)-1])
		}
		s = s[size:]
	}
	return b.String()
}

// oneLine returns a text as one line for people, with escapes in place of line breaks and as in visible.
func oneLine(name string) string { return strings.ReplaceAll(visible(name), "\n", `\n`) }

// quote returns a name from an input as one line for people.
func quote(s string) string { return text.Quote(s) }
