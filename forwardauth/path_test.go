package forwardauth_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/forwardauth"
)

// Each spelling gets through only where the tail of a route permits it.
func TestTail(t *testing.T) {
	const never = forwardauth.Tail(0xff)
	for _, c := range []struct {
		tail string
		need forwardauth.Tail // 0: nothing; never: no Tail permits it
	}{
		// What is for everybody.
		{"", 0}, {"x", 0}, {"x/", 0}, {"a/b/c", 0}, {"a%20b", 0}, {"a+b", 0}, {"%C3%A9", 0}, {"%E6%97%A5", 0},
		{"a.b", 0}, {".hidden", 0},
		{"...a", 0}, {"monday.com", 0}, {"root:/a/b.txt:/content", 0}, {"Items('7')", 0}, {"a,b=c!$&@~*", 0},
		{"%22%3C%3E%5B%5D%5E%60%7B%7C%7D", 0},
		{"col%C2%B7legi", 0}, {"%DC%9D%DC%82x", 0},
		{"%E0%B8%99%E0%B8%B5%E0%B9%89", 0}, {"%20x", 0}, {"+x", 0}, {"%F0%9F%98%80", 0},
		{"a%CD%86%CD%8A", 0}, // two marks of one class stay in their order

		// What is for a tail that permits it.
		{"group%2Fproject", forwardauth.TailEscapedSlash}, {"group%2fproject/x", forwardauth.TailEscapedSlash},
		{"100%25", forwardauth.TailEscapedPercent}, {"a%2541", forwardauth.TailEscapedPercent},
		{"a%25252541", forwardauth.TailEscapedPercent},
		{"a%252Fb", forwardauth.TailEscapedPercent | forwardauth.TailEscapedSlash},
		{"a%5Cb", forwardauth.TailBackslash}, {`a\b`, forwardauth.TailBackslash},
		{"a;b", forwardauth.TailDelimiters}, {"a%3Bb", forwardauth.TailDelimiters},
		{"a%3fb", forwardauth.TailDelimiters}, {"a%23b", forwardauth.TailDelimiters},
		{"a//b", forwardauth.TailEmptySegments}, {"/a", forwardauth.TailEmptySegments},
		{"a//", forwardauth.TailEmptySegments}, {"/", forwardauth.TailEmptySegments},
		{"etc.", forwardauth.TailTrailingDots}, {"a%20/x", forwardauth.TailTrailingDots},
		{"c++", forwardauth.TailTrailingDots},
		{"a%C2%B7", forwardauth.TailTrailingDots}, {"a%EA%98%8E", forwardauth.TailTrailingDots},
		{"a%E1%9A%80", forwardauth.TailTrailingDots}, {"a.%20.", forwardauth.TailTrailingDots},
		{"e%CC%81", forwardauth.TailUnicode}, {"%EF%BC%A1", forwardauth.TailUnicode},
		{"a%E2%80%8Bb", forwardauth.TailUnicode}, {"%EF%AC%81", forwardauth.TailUnicode},
		{"a%EF%B8%8F", forwardauth.TailUnicode}, {"a%CD%86%CC%96", forwardauth.TailUnicode},
		{"a%CD%B8b", forwardauth.TailUnicode}, {"a%C2%ADb", forwardauth.TailUnicode},
		{"a%CD%8Fb", forwardauth.TailUnicode},
		{"a%E2%88%95b", forwardauth.TailUnicode}, {"a%E2%81%84b", forwardauth.TailUnicode},
		{"a%E2%88%96b", forwardauth.TailUnicode}, {"%C2%A5", forwardauth.TailUnicode},
		{"%E2%82%A9b", forwardauth.TailUnicode}, {"a%E2%A7%B8", forwardauth.TailUnicode},
		{"%C3%B7", forwardauth.TailUnicode}, {"a%E2%95%B1b", forwardauth.TailUnicode},
		{"a%E2%9F%8B", forwardauth.TailUnicode}, {"a%E2%95%B2b", forwardauth.TailUnicode},
		{"a%E2%9F%8D", forwardauth.TailUnicode}, {"%E2%A7%B5b", forwardauth.TailUnicode},
		{"a%E2%A7%B9b", forwardauth.TailUnicode},
		{"a%25E2%2588%2595b", forwardauth.TailEscapedPercent | forwardauth.TailUnicode},

		// What nobody gets.
		{".", never}, {"..", never}, {"../x", never}, {"x/..", never}, {"x/.", never}, {"...", never},
		{"%2e%2e", never}, {"%2E/x", never}, {"%41", never}, {"%5A", never}, {"%7A", never}, {"%7E", never},
		{"..%20", never}, {"%20..", never}, {". .", never}, {"%20", never}, {".%20.", never}, {"..+", never},
		{"..%2Fx", never}, {"a%2F..", never}, {"a%2F..%2Fb", never},
		{"..%5Cx", never}, {`a\..\b`, never}, {"..;x", never}, {"a;..", never}, {"..%3Fx", never}, {"..%23", never},
		{"%252e%252e", never}, {"%25252e%25252e", never},
		{"%25%32%65%25%32%65", never}, {"a%252F..%252Fb", never}, {"%c0%ae%c0%ae", never}, {"%e0%80%ae", never},
		{"%25c0%25ae%25c0%25ae", never}, {"%ff", never}, {"a%C3", never},
		{"%ed%a0%80", never}, {"%f4%90%80%80", never}, {"%25ff", never}, {"%C2%85", never}, {"%00", never},
		{"a%0a", never}, {"a%0d%0ab", never}, {"%7f", never}, {"a%E2%80%A8b", never},
		{"a%E2%80%A9b", never}, {"a%2500", never}, {"%EF%BC%8E%EF%BC%8E", never}, {"%E2%80%A5", never},
		{"%E2%80%A4%E2%80%A4", never}, {"%EF%BC%8E%EF%BC%8E%EF%BC%8Fx", never},
		{"a%EF%BC%8Fb", never}, {"a%EF%BC%BCb", never}, {"a%EF%BC%9Bb", never}, {"a%EF%BC%85b", never},
		{"a%CD%BEb", never}, {"a%C2%A0b", never}, {"a%E3%80%80", never},
		{"..%E2%80%8B", never}, {"%E2%80%8B", never}, {".%E2%80%8D.", never}, {"..%EF%BB%BF", never},
		{"..%E2%88%95..%E2%88%95jira", never}, {"a%E2%81%84..", never}, {"..%C2%A5..", never},
		{"..%E2%88%96x", never}, {"x%E2%A7%B8..%E2%A7%B8y", never}, {"%C2%B7%C2%B7", never}, {".%DC%82", never},
		{"%DC%81%DC%81", never}, {"..%E2%A7%B5..", never}, {"x%C3%B7..", never},
		{"%EA%93%B8%EA%93%B8%E2%88%95x", never}, {"..%25E2%2588%2595x", never},
		{"..%E1%9A%80", never}, {"a%", never}, {"a%2", never}, {"a%zz", never}, {"%u002e", never},
		{"a b", never}, {"a\tb", never}, {"a\x00b", never}, {"\u00e9", never}, {`"`, never}, {"<", never},
		{"[x]", never}, {"|", never}, {"^", never}, {"`", never}, {"{x}", never},
		{"a#b", never}, {"a%2525252541", never}, {"%2525252525252525252525252525252525", never},
	} {
		t.Run(c.tail, func(t *testing.T) {
			asks := func(allowed forwardauth.Tail) (int, string) {
				f := newFixture(t, forwardauth.DialectNginx)
				f.Handler = tailHandler(t, f, allowed)
				w := ask(f, describe(forwardauth.DialectNginx, "GET", "/integrations/slack/tail/"+c.tail,
					with(t, onlySlack)))
				return w.Code, f.code(t)
			}
			// It passes with what it needs, and with all, and not with all but one of what it needs.
			status, code := asks(c.need & forwardauth.TailOpaque)
			if c.need == never {
				require.Equal(t, []any{403, "path"}, []any{status, code})
				return
			}
			require.Equal(t, []any{204, "granted"}, []any{status, code})
			status, _ = asks(forwardauth.TailOpaque)
			require.Equal(t, 204, status)
			for bit := forwardauth.Tail(1); bit&forwardauth.TailOpaque != 0; bit <<= 1 {
				if c.need&bit == 0 {
					continue
				}
				status, code := asks(forwardauth.TailOpaque &^ bit)
				require.Equal(t, []any{403, "path"}, []any{status, code}, "without %b", bit)
			}
		})
	}
}

// tailHandler returns a handler with one route, whose tail may hold what is allowed.
func tailHandler(t *testing.T, f *fixture, allowed forwardauth.Tail) *forwardauth.Handler {
	h, err := forwardauth.New(forwardauth.DialectNginx, verifier(), []forwardauth.Route{{
		Pattern: "GET /integrations/{integration}/tail/{rest...}", Permission: permissions.ProxyAPI, Tail: allowed,
		Integration: forwardauth.Path("integration"),
	}}, logTo(&f.log))
	require.NoError(t, err)
	return h
}

// The Tail of a route allows nothing in the segments before its tail.
func TestTailAllowsNothingBeforeIt(t *testing.T) {
	for uri, code := range map[string]string{
		"/integrations/slack/opaque/x":          "granted",
		"/integrations/sl%61ck/opaque/x":        "path",
		"/integrations/slack%2Fx/opaque/x":      "path",
		"/integrations/slack%20/opaque/x":       "path",
		"/integrations/slack;a/opaque/x":        "path",
		"/integrations/e%CC%81/opaque/x":        "path",
		"/integrations/%EF%BD%93lack/opaque/x":  "path",
		"/integrations/slack/%6Fpaque/x":        "path",
		"/%69ntegrations/slack/opaque/x":        "path",
		"/integrations/slack/opaque%20/x":       "no_route",
		"/integrations/slack./opaque/x":         "path",
		"/integrations/slack+/opaque/x":         "path",
		"/integrations/../opaque/x":             "path",
		"/integrations/jira%00/opaque/x":        "path",
		"/integrations/slack/../jira/opaque/x":  "no_route",
		"//integrations/slack/opaque/x":         "no_route",
		"/./integrations/slack/opaque/x":        "no_route",
		"/integrations/;/slack/opaque/x":        "no_route",
		"/integrations/slack/credentials/../x":  "no_route",
		"/integrations/slack\\..\\jira/opaque/": "path",
	} {
		f := newFixture(t, forwardauth.DialectHAProxy)
		w := ask(f, describe(forwardauth.DialectHAProxy, "POST", uri, with(t, anything)))
		require.Equal(t, code, f.code(t), uri)
		require.Equal(t, code == "granted", w.Code == 204, uri)
	}
}

// readers are how services, and what is before them, read a path: some right, most careless.
var readers = map[string]func(string) string{
	"once":           unescape,
	"twice":          func(p string) string { return unescape(unescape(p)) },
	"three times":    func(p string) string { return unescape(unescape(unescape(p))) },
	"twice, cleaned": func(p string) string { return path.Clean(unescape(unescape(p))) },
	"cleaned":        func(p string) string { return path.Clean(unescape(p)) },
	"cleaned first":  func(p string) string { return unescape(path.Clean(p)) },
	"backslashes":    func(p string) string { return path.Clean(strings.ReplaceAll(unescape(p), `\`, "/")) },
	"parameters": func(p string) string {
		return path.Clean(eachSegment(unescape(p), func(s string) string { s, _, _ = strings.Cut(s, ";"); return s }))
	},
	"parameters first": func(p string) string {
		return path.Clean(unescape(eachSegment(p, func(s string) string { s, _, _ = strings.Cut(s, ";"); return s })))
	},
	"until NUL": func(p string) string { p, _, _ = strings.Cut(unescape(p), "\x00"); return p },
	"until ? or #": func(p string) string {
		p, _, _ = strings.Cut(unescape(p), "?")
		p, _, _ = strings.Cut(p, "#")
		return p
	},
	"overlong":           func(p string) string { return path.Clean(overlong(unescape(p))) },
	"overlong, twice":    func(p string) string { return path.Clean(overlong(unescape(overlong(unescape(p))))) },
	"trimmed":            func(p string) string { return path.Clean(eachSegment(unescape(p), strings.TrimSpace)) },
	"trimmed at the end": func(p string) string { return path.Clean(eachSegment(unescape(p), trimWindows)) },
	"trimmed twice": func(p string) string {
		return path.Clean(eachSegment(unescape(unescape(p)),
			trimWindows))
	},
	"normalized":        func(p string) string { return path.Clean(normalize(unescape(p))) },
	"normalized, twice": func(p string) string { return path.Clean(unescape(normalize(unescape(p)))) },
	"normalized, parameters": func(p string) string {
		return path.Clean(eachSegment(normalize(unescape(p)),
			func(s string) string { s, _, _ = strings.Cut(s, ";"); return s }))
	},
	"normalized, trimmed": func(p string) string {
		return path.Clean(eachSegment(normalize(unescape(p)),
			trimWindows))
	},
	"best fit":          func(p string) string { return path.Clean(bestFit(unescape(p))) },
	"best fit, twice":   func(p string) string { return path.Clean(bestFit(unescape(bestFit(unescape(p))))) },
	"without invisible": func(p string) string { return path.Clean(strings.Map(dropInvisible, unescape(p))) },
	"without bad bytes": func(p string) string { return path.Clean(strings.ToValidUTF8(unescape(p), "")) },
	"without controls":  func(p string) string { return path.Clean(strings.Map(dropControl, unescape(p))) },
	"plus is a space": func(p string) string {
		return path.Clean(eachSegment(strings.ReplaceAll(unescape(p), "+", " "), trimWindows))
	},
	"slashes merged": func(p string) string { return unescape(strings.ReplaceAll(p, "//", "/")) },
}

func eachSegment(p string, f func(string) string) string {
	segments := strings.Split(p, "/")
	for i := range segments {
		segments[i] = f(segments[i])
	}
	return strings.Join(segments, "/")
}

// trimWindows trims as Windows does, but never a dot segment.
func trimWindows(s string) string {
	if trimmed := strings.TrimRightFunc(s, unicode.IsSpace); trimmed == "." || trimmed == ".." {
		return trimmed
	}
	return strings.TrimRightFunc(s, func(r rune) bool { return r == '.' || unicode.IsSpace(r) })
}

// normalize does what NFKC does to the characters of the test.
func normalize(s string) string {
	return strings.NewReplacer("\u2024", ".", "\u2025", "..", "\u2026", "...", "\u00a0", " ", "\u3000", " ",
		"\u037e", ";", "\u2100", "a/c").
		Replace(strings.Map(func(r rune) rune {
			if 0xff01 <= r && r <= 0xff5e {
				return r - 0xff01 + '!'
			}
			return r
		}, s))
}

// bestFit does what Windows and iconv do to some characters of the test when they convert to a code page.
func bestFit(s string) string {
	return strings.NewReplacer("\u2044", "/", "\u2215", "/", "\u29f8", "/", "\u00f7", "/", "\u2216", "/", "\u00a5", "/",
		"\u20a9", "/", "\u00b7", ".").Replace(s)
}

func dropInvisible(r rune) rune {
	if unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
		return -1
	}
	return r
}

func dropControl(r rune) rune {
	if unicode.IsControl(r) {
		return -1
	}
	return r
}

// overlong decodes UTF-8 as old decoders did: in two or three bytes, however small the character is.
func overlong(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		if r, n := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || n > 1 {
			b.WriteString(s[i : i+n])
			i += n
			continue
		}
		switch c := s[i]; {
		case c>>5 == 6 && i+1 < len(s):
			b.WriteRune(rune(c&31)<<6 | rune(s[i+1]&63))
			i += 2
		case c>>4 == 14 && i+2 < len(s):
			b.WriteRune(rune(c&15)<<12 | rune(s[i+1]&63)<<6 | rune(s[i+2]&63))
			i += 3
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String()
}

// unescape decodes what is an escape, as a careless server does.
func unescape(p string) string {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if i+2 < len(p) && p[i] == '%' {
			if s, err := url.PathUnescape(p[i : i+3]); err == nil {
				b.WriteString(s)
				i += 2
				continue
			}
		}
		b.WriteByte(p[i])
	}
	return b.String()
}

// Each reader reads something into a path that the others do not, so none is there in vain.
func TestReaders(t *testing.T) {
	for name, p := range map[string]string{
		"twice": "/%252e", "three times": "/%25252e", "twice, cleaned": "/a/%252e%252e", "cleaned": "/a/%2e%2e",
		"cleaned first": "/a/../b",
		"backslashes":   "/a/..%5cb", "parameters": "/a/..%3bx/b", "parameters first": "/a/..;x/b",
		"until NUL": "/a%00b", "until ? or #": "/a%3fb",
		"overlong": "/a/%c0%ae%c0%ae/b", "overlong, twice": "/a/%c0%a5%32%65%c0%a5%32%65/b",
		"trimmed": "/a/%20..%20/b", "trimmed at the end": "/a/..%20/b",
		"trimmed twice": "/a/..%2520/b", "normalized": "/a/%EF%BC%8E%EF%BC%8E/b",
		"normalized, twice":      "/a/%EF%BC%852e%EF%BC%852e/b",
		"normalized, parameters": "/a/..%CD%BEx/b", "normalized, trimmed": "/a/..%E3%80%80/b",
		"without invisible": "/a/.%E2%80%8B./b",
		"best fit":          "/a/..%E2%88%95b", "best fit, twice": "/a/..%25E2%2588%2595b",
		"without bad bytes": "/a/.%ff./b", "without controls": "/a/.%C2%85./b", "plus is a space": "/a/..+/b",
		"slashes merged": "/a//b",
	} {
		require.NotEqual(t, unescape(p), readers[name](p), name)
	}
}

// However a service reads a path that is let through, its target is the one that was decided about.
func TestOnePathHasOneMeaning(t *testing.T) {
	pieces := []string{
		"/", "/", "/", "/", "slack", "jira", "integrations", "proxy", "opaque", "/integrations/jira/proxy/",
		"/integrations/slack/opaque/",
		"/integrations/", "/proxy/", "jira/opaque/", "/integrations/jira", ".", "..", "/../", "%2e", "%2E%2e",
		"%2f", "%2F", "/..%2f..%2f", "%5c", `\`, ";", "%3b",
		"%", "%25", "%252f", "%252e%252e", "%00", "%23", "%3f", "%20", "+", "%C3%A9", ":", "@", "a", "%61",
		"%73lack", "%c0%ae", "%c0%ae%c0%ae/", "%c0%af", "%e0%80%ae",
		"%EF%BC%8E", "%EF%BC%8E%EF%BC%8E%EF%BC%8F", "%EF%BC%8F", "%E2%80%A4", "%E2%80%A5", "%C2%A0", "%E3%80%80",
		"%CD%BE", "%EF%BC%85", "%ff", "%c2%85", "%E2%80%8B", "%EF%BB%BF",
		"%E1%9A%80", "..%20/", "..%E2%80%8B/", "e%CC%81", "%E2%88%95", "%E2%81%84", "..%E2%88%95", "%C2%A5..",
		"%C2%B7",
	}
	var asked permissions.Target
	f := newFixture(t, forwardauth.DialectNginx, forwardauth.WithObserver(
		func(_ context.Context, o permissions.Observation) { asked = o.Target }))
	header := with(t, anything)
	random := rand.New(rand.NewPCG(6, 6))
	passed, held := map[string]int{}, 0
	for range 25_000 {
		route := []string{"proxy", "opaque"}[random.IntN(2)]
		uri := ""
		if random.IntN(4) > 0 {
			uri = "/integrations/jira/" + route + "/"
		}
		for range 1 + random.IntN(5) {
			uri += pieces[random.IntN(len(pieces))]
		}
		w := ask(f, describe(forwardauth.DialectNginx, "PUT", uri, header))
		if w.Code != 204 {
			held++
			continue
		}
		passed[route]++
		name, _ := asked.Lookup(permissions.IntegrationName)
		said := strings.Split(uri, "/")[3]
		for reader, read := range readers {
			segments := strings.Split(read(uri), "/")
			require.GreaterOrEqual(t, len(segments), 4, "%s: %s", reader, uri)
			require.Equal(t, []string{"", "integrations", name, said}, segments[:4], "%s: %s", reader, uri)
		}
	}
	f.log.Reset()
	require.Greater(t, passed["proxy"], 200)
	require.Greater(t, passed["opaque"], 800)
	require.Greater(t, held, 5_000)
}

// A query that could change the method is refused, and other queries mean nothing.
func TestQuery(t *testing.T) {
	for query, refused := range map[string]bool{
		"": false, "a=b": false, "method=x": false, "Method=x": false, "payment_method=x": false,
		"a=_method": false, "a=b&method=c": false, "next=/../slack/": false,
		"_=1": false, "параметр=x": false, "methods=x": false, "a_method=x": false, "z_method=x": false,
		"%zz": false, "a=%26b=c": false,
		"_method=DELETE": true, "a=b&_method=DELETE": true, "a;_method=DELETE": true, "_METHOD=DELETE": true,
		"_method": true, "_method[]=DELETE": true, "_method[0]=DELETE": true,
		"%5Fmethod=DELETE": true, "_m%65thod=DELETE": true, "%255Fmethod=DELETE": true, ".method=DELETE": true,
		"%2525255Fmethod=DELETE": true, "%252525255Fmethod=DELETE": true,
		"%20_method=DELETE": true, "+_method=DELETE": true,
		"_method%00x=DELETE": true, "_met%u0000hod=DELETE": true, "_method%u0000x=DELETE": true, "_met%00hod": true,
		"%u0000_method=DELETE": true, "[method=DELETE": true, "X-HTTP-Method-Override=DELETE": true,
		"http_method=DELETE": true, "a=b%26_method=DELETE": true,
		"x-tunneled-method=DELETE": true, "X_Tunneled_Method=DELETE": true, "a=b&x%2Dtunneled%2Dmethod=DELETE": true,
		"tunneled-method=x":   false,
		"%u005fmethod=DELETE": true, "%u005f%u006dethod=DELETE": true,
		"%U005Fmethod=DELETE": true, "_%u006dethod": true, "_metho%u0064": true, "%25u005fmethod=DELETE": true,
		"_%EF%BD%8Dethod=DELETE": true, "%EF%BC%BF%EF%BD%8D%EF%BD%85%EF%BD%94%EF%BD%88%EF%BD%8F%EF%BD%84": true,
		"%EF%BD%8Dethod=DELETE": true, "%c1%9fmethod=DELETE": true, "_%c1%adethod=DELETE": true,
		"_m%C3%A9thod=DELETE": true, "_%F0%9D%90%A6ethod=DELETE": true, "x_%EF%BD%88ttp_method": true,
		"_%C2%80ethod=DELETE": true, "_metho%CE%B4=DELETE": true, // U+0080, and a Greek letter at the end
		"%u00zzmethod=x": false, "%u00": false, "%u005=x": false, "m%C3%A9thode=x": false,
		"%CE%BC%CE%AD%CE%B8%CE%BF%CE%B4%CE%BF%CF%82=x":   false, // a Greek word
		"%EF%BE%92%EF%BD%BF%EF%BD%AF%EF%BE%84%EF%BE%99=": false, // a Japanese one of narrow letters
		"%E6%96%B9%E6%B3%95=x":                           false, "%ff%ff%ff%ff%ff%ff=x": true, "%ff=x": false,
		"%25252525255F%2525252525%36dethod": true, "%252525252525u005fmethod=DELETE": true,
		"_metho%252525252525u0064=DELETE":        true, // however often
		"a=b%2525252526_method%252525253DDELETE": true, "_metho%252525252%2535u0064": true, "%2525252525ff=x": false,
		"%" + strings.Repeat("25", 1000) + "5fmethod=DELETE": true, "%" + strings.Repeat("25", 1000) + "=x": false,
		"next=" + nested("/a?state=b&method=c&next=", 12):  false, // redirects in redirects
		"next=" + nested("/a?state=b&_method=c&next=", 12): true,
		"?_method=DELETE": true, "_method%20=DELETE": true, "%EF%BC%BFmethod=DELETE": true, "a#_method=DELETE": true,
	} {
		f := newFixture(t, forwardauth.DialectNginx)
		w := ask(f, describe(forwardauth.DialectNginx, "POST", "/events?"+query, with(t, anything)))
		require.Equal(t, refused, w.Code != 204, query)
		if refused {
			require.Equal(t, "method_override", f.code(t), query)
		}
	}
}

// nested returns a text in itself, as often as depth says. The inner ones are escaped.
func nested(text string, depth int) string {
	if depth == 0 {
		return ""
	}
	return url.QueryEscape(text + nested(text, depth-1))
}

// A path or a query that is escaped as often as a header can hold takes no long time.
func TestHostilePathIsCheap(t *testing.T) {
	f := newFixture(t, forwardauth.DialectNginx)
	uri := "/integrations/slack/opaque/%" + strings.Repeat("25", 30_000)
	allocations := testing.AllocsPerRun(1, func() {
		w := ask(f, describe(forwardauth.DialectNginx, "POST", uri, with(t, anything)))
		require.Equal(t, 403, w.Code)
	})
	require.Less(t, allocations, 1000.0)
	f.log.Reset()
	require.Equal(t, 403, ask(f, describe(forwardauth.DialectNginx, "POST", uri, with(t, anything))).Code)
	require.Equal(t, "path", f.code(t))

	uri = "/events?a" + strings.Repeat("%", 20_000) + strings.Repeat("25", 20_000)
	allocations = testing.AllocsPerRun(1, func() {
		w := ask(f, describe(forwardauth.DialectNginx, "POST", uri, with(t, anything)))
		require.Equal(t, 204, w.Code)
	})
	require.Less(t, allocations, 1000.0)
}

// The escapes of a path are decoded once, however many routes there are.
func TestManyRoutesDecodeAPathOnce(t *testing.T) {
	path := "/" + strings.Repeat("%C3%A9", 1000) + "/x"
	allocations := func(count int) float64 {
		var routes []forwardauth.Route
		for i := range count {
			routes = append(routes, forwardauth.Route{Pattern: fmt.Sprintf("/r%d/{_}", i), Permission: permissions.Events})
		}
		h, err := forwardauth.New(forwardauth.DialectCaddy, verifier(), routes)
		require.NoError(t, err)
		return testing.AllocsPerRun(10, func() {
			w := ask(h, describe(forwardauth.DialectCaddy, "GET", path, nil))
			require.Equal(t, 403, w.Code)
		})
	}
	require.InDelta(t, allocations(1), allocations(100), 10)
}
