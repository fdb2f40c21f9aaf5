// Package usertoken verifies and signs Paragon User Tokens: the JSON Web Tokens that carry a permissions
// claim.
//
//   - To verify tokens: [NewVerifier] and [Verifier.Verify]. The [Claims] that it returns have the
//     policy to ask.
//   - To verify the tokens of a net/http server: package httpauth, which takes a Verifier.
//   - To read a key from the environment: [ParsePublicKey] and [ParsePrivateKey].
//   - To verify with keys that rotate, or with a JSON Web Key Set: [WithKeys] and [WithKeySource].
//   - To verify the signature of a repeated token once: [WithSignatureCache].
//   - To measure: [WithObserver].
//   - To sign tokens: [NewSigner] and [Signer.Sign].
//   - To go on with golang-jwt: [Claims] is what jwt.ParseWithClaims takes.
//   - To test code that takes tokens: package permissionstest.
//
// A service that verifies tokens:
//
//	key, err := usertoken.ParsePublicKey(os.Getenv("PARAGON_PUBLIC_KEY"))
//	...
//	verifier, err := usertoken.NewVerifier(projectID, key, usertoken.RequireClaim())
//	...
//	claims, err := verifier.Verify(token)
//	...
//	target := permissions.Integration(row.Integration).Credential(permissions.ID(row.ID),
//		permissions.ExternalIDPtr(row.ExternalID))
//	err = claims.Policy.Check(permissions.ProxyAPI, target)
//
// The target has every identifier of the row that was loaded, because a rule can name either. ExternalIDPtr
// says that there is none if the pointer is nil.
//
// # What is verified
//
// SPEC.md, section 7, is the full list. The algorithm is RS256. The token has an exp that is not past,
// no nbf or iat in the future, a sub, and an aud that is the project's. Reading is strict. It refuses a
// repeated name, a name that is nearly that of the permissions claim, and a token with base64 padding.
// A token without the permissions claim allows everything (SPEC 1.7), unless [RequireClaim] refuses it.
//
// Options adapt this to what issuers send. [AllowMissingAudience] accepts a token without aud.
// [WithAudience], [WithIssuer] and [WithType] say what a token must have.
//
// # Tokens of Firebase, Auth0 and other issuers
//
// ID tokens of Firebase Authentication and Auth0 serve as User Tokens. They are signed with RS256, by
// keys from a JSON Web Key Set, and have an audience of their own. Name both issuer and audience:
//
//	firebase, err := usertoken.NewVerifier("", nil, usertoken.WithKeySource(source),
//		usertoken.WithIssuer("https://securetoken.google.com/FIREBASE_PROJECT"),
//		usertoken.WithAudience("FIREBASE_PROJECT"), usertoken.RequireClaim())
//
//	auth0, err := usertoken.NewVerifier("", nil, usertoken.WithKeySource(source),
//		usertoken.WithIssuer("https://TENANT.auth0.com/"),
//		usertoken.WithAudience("CLIENT_ID"), usertoken.RequireClaim())
//
// The directory examples/jwks has such a source: keys from a URL, their rotation, and a server that is
// down.
//
// # Errors
//
// A refused token matches [ErrToken]. Its [*TokenError] says for the log what was wanted and what came,
// and holds no part of the token beyond that. Keys that could not be looked up are [ErrKeys], which is
// not the fault of the token: answer 503, and not 401. If a [Signer] makes no token, the error matches
// [ErrSign].
//
// # Long jobs
//
// A policy is good for as long as its token. A worker or a stream that keeps one asks [Claims.Valid]
// before each step.
//
// # Claims of your own
//
// [WithClaims] signs other claims beside the permissions claim, and [Claims.Decode] reads them.
package usertoken
