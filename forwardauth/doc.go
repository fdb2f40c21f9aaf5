// Package forwardauth answers a gateway that asks whether a request may pass: nginx with auth_request,
// Caddy with forward_auth, HAProxy with a script, Traefik with ForwardAuth, Envoy with ext_authz. The
// service after the gateway can be written in any language.
//
//   - [New] makes a [Handler], for net/http, from a [Dialect], a verifier of tokens and a table of routes.
//   - [Route] says what a request needs: a permission, and where the request names its target.
//   - [WithLookup] is for policies that deny credentials by an external ID that requests do not have.
//
// A decision server:
//
//	decision, err := forwardauth.New(forwardauth.DialectNginx, verifier, []forwardauth.Route{{
//		Pattern:     "/integrations/{integration}/proxy/{rest...}",
//		Permission:  permissions.ProxyAPI,
//		Integration: forwardauth.Path("integration"),
//		Credential:  forwardauth.Header(httpauth.CredentialHeader),
//	}}, forwardauth.WithLogger(slog.Default()))
//	...
//	err = http.ListenAndServe("127.0.0.1:9001", decision)
//
// It needs nothing but the token, so any number of replicas answer alike. The directory examples/gateway
// has the configuration files of nginx, Caddy and HAProxy. The rules below hold only with them, or with
// files that do the same.
//
// # Answers
//
//	status  when
//	204     yes; Envoy gets 200, because it knows no other yes. The header [SubjectHeader] says for whom.
//	401     there is not exactly one good token. WWW-Authenticate says what is wrong (RFC 6750).
//	403     everything else that is refused: no route, an ambiguous path, a denial
//	500     a panic, or a Handler that is nil or zero
//	503     keys or objects cannot be looked up, or a yes took longer than [WithTimeout]
//
// There is no body. Every yes has the header [SubjectHeader], because Caddy would pass on the name of a placeholder
// for a missing header. nginx answers 500 to the client for each 5xx, and Envoy 403 unless its status_on_error says
// otherwise.
//
// # Who is believed
//
// A gateway describes the request in headers or in its own request line. A [Handler] reads only what
// its [Dialect] names, and refuses what another dialect would read, and underscores in place of
// hyphens. It cannot tell who sent a question. That does no harm, since an answer changes nothing. But
// nothing except the gateway may be able to reach the service.
//
// The gateway must pass on the method and the path that it asked about. Rewrite neither in between.
//
// X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host and Forwarded are not read.
//
// # One path, one meaning
//
// Servers differ in how they read a path. A path that two of them could read in two ways is refused. A
// segment is checked after its escapes are decoded. It is refused if it
//
//   - is not valid UTF-8
//   - changes under Unicode's normalization form NFKC, or has a character that Unicode 15 does not assign
//   - has a control character, a line or paragraph separator, or an invisible character
//   - has nothing but dots and white space, or ends in one of them; + counts as white space
//   - has a slash, a backslash, a percent sign, a semicolon, a question mark or a number sign
//   - has a character that conversions to other character sets turn into a slash or a backslash, such as
//     U+2215, U+2044, U+2216 and U+00A5
//   - was written with an escape of a letter, a digit or one of -._~, or without a necessary escape
//
// An empty segment is refused too, except at the end of the path. A path that ends in a slash is refused if the path
// without that slash matches a route that asks another question.
//
// A tail that is data for another system may need some of that. See [Tail].
//
// The service must decode escapes once, and compare names by bytes. If it takes JIRA for jira, or looks for
// characters that look alike, a denied name may pass in another spelling.
//
// # Nothing else decides
//
// A query with _method, or what a framework could take for it, is refused, however often it is escaped: %u005fmethod,
// .method and a spelling with fullwidth letters are. So is x-tunneled-method. A gateway cannot see a _method in the
// body: turn that off in the service.
//
// What a client writes into headers that services believe is for the gateway to strip:
// X-HTTP-Method-Override, X-Original-*, X-Forwarded-*, Forwarded, X-Envoy-*, X-Script-Name, Remote-User,
// Destination, headers with underscores, [SubjectHeader] itself, and many more. No list of bad names is
// complete. So the files in examples/gateway have a list of the headers that the service gets, and it
// gets no others.
//
// # CORS, websockets and bodies
//
// A CORS preflight request has no token. Have the gateway answer it, as the files in examples/gateway do. A [Handler]
// refuses it: with 401 if a route matches OPTIONS, and otherwise with 403. A websocket is allowed or denied by its
// first request, and lives as long as the service lets it. The body of a question is not read.
//
// # What was tested with real programs
//
// The tests of examples/gateway run nginx 1.22, Caddy 2.6 and HAProxy 2.6, which are Debian's. Traefik and
// Envoy were not run: their dialects follow their documentation, and the tests send what that
// describes.
//
// For Traefik, leave trustForwardHeader false, list X-Auth-Subject in authResponseHeaders, and list
// Authorization and the headers of the routes if you set authRequestHeaders. For Envoy, list the headers of
// the routes in allowed_headers, list x-auth-subject in allowed_upstream_headers, set no path_prefix, and
// leave failure_mode_allow false. With both, strip the headers above before the service, and ask before
// anything changes the path.
package forwardauth
