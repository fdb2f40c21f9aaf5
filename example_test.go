package permissions_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/connectperms/permissions"
)

// From a signed token to an answer. Who issues the tokens has the private key and signs;
// who verifies has the public key.
func Example() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		log.Fatal(err)
	}
	signer, err := permissions.NewSigner("my-project", key)
	if err != nil {
		log.Fatal(err)
	}
	token, err := signer.Sign("anna@example.com", permissions.MustParse(`{"integration:slack": ["credential:write"]}`))
	if err != nil {
		log.Fatal(err)
	}

	verifier, err := permissions.NewVerifier("my-project", &key.PublicKey)
	if err != nil {
		log.Fatal(err)
	}
	claims, err := verifier.Verify(token)
	if err != nil {
		log.Fatal(err)
	}
	for _, integration := range []string{"slack", "salesforce"} {
		allowed := claims.Policy.Allowed(permissions.CredentialWrite, permissions.Target{Integration: integration})
		fmt.Println(claims.Subject, "may connect", integration, allowed)
	}
	// Output:
	// anna@example.com may connect slack true
	// anna@example.com may connect salesforce false
}

func exampleToken(key *rsa.PrivateKey) string {
	signer, err := permissions.NewSigner("my-project", key)
	if err != nil {
		log.Fatal(err)
	}
	token, err := signer.Sign("anna@example.com", permissions.MustParse(`{"integration:slack": ["credential:write"]}`))
	if err != nil {
		log.Fatal(err)
	}
	return token
}

func ExampleParse() {
	policy, err := permissions.Parse([]byte(`{
		"integration:*": ["events"],
		"integration:slack": {"credential:*": ["proxy-api", "settings:read"]}
	}`))
	if err != nil {
		log.Fatal(err)
	}
	for rule := range policy.Rules() {
		fmt.Printf("%s grants %s (%s)\n", rule, rule.Grant(), rule.Pointer())
	}
	// Output:
	// integration:* grants events (/integration:*)
	// integration:slack/credential:* grants settings:read, proxy-api (/integration:slack/credential:*)
}

// A mistake is reported with its place, and with what was probably meant.
func ExampleParseError() {
	_, err := permissions.Parse([]byte(`{"integration:slack": ["events", "proxy_api"]}`))
	fmt.Println(err)

	var mistake *permissions.ParseError
	if errors.As(err, &mistake) {
		fmt.Println(mistake.Pointer, mistake.Offset, mistake.Found)
		fmt.Println(mistake.Remedy)
	}
	fmt.Println(errors.Is(err, permissions.ErrPermission), errors.Is(err, permissions.ErrClaim))
	// Output:
	// permissions: claim at "/integration:slack/1" (byte 33): "proxy_api" is no permission; did you mean "proxy-api"?
	// /integration:slack/1 33 "proxy_api"
	// did you mean "proxy-api"?
	// true true
}

// The claim as a JSON library has decoded it.
func ExampleFromValue() {
	var claims map[string]any
	if err := json.Unmarshal([]byte(`{"sub": "anna", "urn:useparagon:connect:permissions": {"integration:*": true}}`), &claims); err != nil {
		log.Fatal(err)
	}
	policy := permissions.Unrestricted() // a token without the claim allows everything
	if claim, ok := claims[permissions.ClaimName]; ok {
		var err error
		if policy, err = permissions.FromValue(claim); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(policy.IsUnrestricted(), policy.Allowed(permissions.Workflows, permissions.Target{Integration: "slack"}))
	// Output: false true
}

func ExampleWithPermissions() {
	policy := permissions.MustParse(`{"integration:*": ["events", "reports:read"]}`, permissions.WithPermissions("reports:read"))
	fmt.Println(policy.Allowed("reports:read", permissions.Target{}))
	// Output: true
}

func ExamplePolicy_Check() {
	policy := permissions.MustParse(`{"integration:*": true, "integration:slack": ["proxy-api"]}`)

	err := policy.Check(permissions.CredentialWrite, permissions.Target{Integration: "slack"})
	fmt.Println(err)
	fmt.Println("denied:", errors.Is(err, permissions.ErrDenied))

	err = policy.Check(permissions.CredentialWrite, permissions.Target{CredentialID: "3fa85f64-5717-4562-b3fc-2c963f66afa6"})
	fmt.Println(err)
	fmt.Println("denied:", errors.Is(err, permissions.ErrDenied), "invalid:", errors.Is(err, permissions.ErrTarget))
	// Output:
	// permissions: "credential:write" on integration "slack" denied: integration:slack grants proxy-api
	// denied: true
	// permissions: invalid question: Integration is empty, and must be named with what it holds
	// denied: false invalid: true
}

func ExamplePolicy_Decide() {
	policy := permissions.MustParse(`{"integration:*": true, "credential:3FA85F64-5717-4562-B3FC-2C963F66AFA6": []}`)
	decision := policy.Decide(permissions.ProxyAPI, permissions.Target{
		Integration:          "slack",
		CredentialID:         "3fa85f64-5717-4562-b3fc-2c963f66afa6",
		CredentialExternalID: permissions.None,
	})
	fmt.Println(decision)
	fmt.Println(decision.Allowed, decision.Reason, decision.Rule.Pointer())
	// Output:
	// denied: integration:*/credential:3fa85f64-5717-4562-b3fc-2c963f66afa6 grants none
	// false not granted /credential:3FA85F64-5717-4562-B3FC-2C963F66AFA6
}

// Whoever has not looked up an identifier leaves it open, and gets no yes that it could
// make a no.
func ExampleNone() {
	policy := permissions.MustParse(`{"integration:*": true, "configuration:ext:Team A": false}`)
	target := permissions.Target{
		Integration:          "slack",
		CredentialID:         "3fa85f64-5717-4562-b3fc-2c963f66afa6",
		CredentialExternalID: permissions.None,
		ConfigurationID:      "9b2f3c10-77aa-4e0e-9a58-0f5b7c1d2e3f",
	}
	fmt.Println(policy.Decide(permissions.Workflows, target))

	// It was looked up, and the configuration has no external ID.
	target.ConfigurationExternalID = permissions.None
	fmt.Println(policy.Decide(permissions.Workflows, target))
	// Output:
	// denied: it may depend on the configuration external ID, which the target leaves open
	// allowed: integration:* grants all
}

func ExamplePolicy_Permissions() {
	policy := permissions.MustParse(`{"integration:*": ["events", "settings:write"], "integration:slack": ["workflows"]}`)
	fmt.Println(policy.Permissions(permissions.Target{Integration: "slack"}))
	fmt.Println(policy.Permissions(permissions.Target{Integration: "jira"}))
	// Output:
	// workflows
	// settings:read, settings:write, events
}

// A list shows what is visible.
func ExamplePolicy_Visible() {
	policy := permissions.MustParse(`{"integration:slack": {"credential:*": ["proxy-api"]}}`)
	for _, integration := range []string{"jira", "slack"} {
		fmt.Println(integration, policy.Visible(permissions.Target{Integration: integration}))
	}
	// Output:
	// jira false
	// slack true
}

func ExamplePolicy_Observe() {
	policy := permissions.MustParse(`{"integration:slack": ["events"]}`)
	subject := "anna@example.com" // of the token that the policy came with
	observed := policy.Observe(func(action permissions.Permission, target permissions.Target, decision permissions.Decision) {
		fmt.Printf("%s: %s on %v %v\n", subject, action, target, decision)
	})
	observed.Allowed(permissions.Events, permissions.Target{Integration: "slack"})
	observed.Allowed(permissions.Events, permissions.Target{})
	// Output:
	// anna@example.com: events on integration "slack" allowed: integration:slack grants events
	// anna@example.com: events on the user denied: no rule applies
}

func ExampleScope_Compare() {
	scopes := []permissions.Scope{
		permissions.MustParseScope("configuration:ext:Team A"),
		permissions.MustParseScope("integration:slack"),
		permissions.MustParseScope("credential:*"),
		permissions.MustParseScope("integration:*"),
	}
	slices.SortFunc(scopes, permissions.Scope.Compare)
	fmt.Println(scopes)
	// Output: [integration:* integration:slack credential:* configuration:ext:Team A]
}

// A service reads the key from its environment, once, when it starts.
func ExampleNewVerifier() {
	key, err := permissions.ParsePublicKey(os.Getenv("PARAGON_PUBLIC_KEY"))
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier, err := permissions.NewVerifier("my-project", key, permissions.WithLeeway(time.Minute), permissions.RequireClaim())
	if err != nil {
		log.Fatal(err)
	}
	_ = verifier
	// Output: permissions: the text is no RSA public key in PEM
}

// While keys rotate, tokens of the old and of the new one are accepted.
func ExampleWithKeys() {
	oldKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		log.Fatal(err)
	}
	newKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := permissions.NewVerifier("my-project", &oldKey.PublicKey, permissions.WithKeys(&newKey.PublicKey))
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range []*rsa.PrivateKey{oldKey, newKey} {
		claims, err := verifier.Verify(exampleToken(key))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(claims.Subject)
	}
	// Output:
	// anna@example.com
	// anna@example.com
}

// tenantClaims has a claim of its own beside those of the token.
type tenantClaims struct {
	permissions.Claims
	Tenant string
}

// UnmarshalJSON replaces the one that comes with the embedded Claims. The map takes names
// exactly as they are, which a struct does not; and what stands twice, the Claims has
// refused.
func (c *tenantClaims) UnmarshalJSON(data []byte) error {
	*c = tenantClaims{}
	if err := c.Claims.UnmarshalJSON(data); err != nil {
		return err
	}
	var own map[string]json.RawMessage
	if err := json.Unmarshal(data, &own); err != nil {
		return err
	}
	if tenant, ok := own["tenant"]; ok {
		return json.Unmarshal(tenant, &c.Tenant)
	}
	return nil
}

// A struct that embeds Claims decodes its own claims itself, beside the embedded ones.
func ExampleClaims_embedded() {
	claims := new(tenantClaims)
	err := json.Unmarshal([]byte(`{
		"sub": "anna@example.com",
		"tenant": "acme",
		"Tenant": "another",
		"urn:useparagon:connect:permissions": {"integration:*": ["events"]}
	}`), claims)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(claims.Subject, claims.Tenant)
	fmt.Println(claims.Policy.Decide(permissions.Events, permissions.Target{}))
	// Output:
	// anna@example.com acme
	// allowed: integration:* grants events
}

// Whoever uses golang-jwt already can have it verify the token. Its options must ask for
// what a Verifier asks for by itself.
func ExampleClaims_golangJWT() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		log.Fatal(err)
	}
	claims := new(tenantClaims)
	_, err = jwt.ParseWithClaims(exampleToken(key), claims,
		func(*jwt.Token) (any, error) { return &key.PublicKey, nil },
		jwt.WithValidMethods([]string{"RS256"}),
		jwt.WithAudience("useparagon.com/my-project"),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(claims.Policy.Allowed(permissions.CredentialWrite, permissions.Target{Integration: "slack"}))
	// Output: true
}
