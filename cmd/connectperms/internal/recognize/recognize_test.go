package recognize_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/cmd/connectperms/internal/recognize"
)

// join makes a token of a header, a payload and a signature.
func join(parts ...string) string {
	for i, part := range parts {
		parts[i] = base64.RawURLEncoding.EncodeToString([]byte(part))
	}
	return strings.Join(parts, ".")
}

// Tokens of the tests. Nobody has signed them.
var (
	first  = join(`{"alg":"RS256","typ":"JWT"}`, `{"sub":"ann","exp":1764100000}`, strings.Repeat("s", 256))
	second = join(`{"alg":"RS256"}`, `{"sub":"ben"}`, strings.Repeat("t", 256))
	spaced = join(`{ "alg": "RS256" }`, `{"sub":"ann"}`, "signature")
	lines  = join("{\n  \"alg\": \"RS256\"\n}", `{"sub":"ann"}`, "signature")
	crlf   = join("{\r\n  \"alg\": \"RS256\"\r\n}", `{"sub":"ann"}`, "signature")
	tab    = join("{\t\"alg\":\"RS256\"}", `{"sub":"ann"}`, "signature")

	unsigned = first[:strings.LastIndex(first, ".")+1]
)

func TestFind(t *testing.T) {
	for _, test := range []struct {
		name, text string
		form       recognize.Form
		want       string // empty for the text
		offset     int
	}{
		{"a token", first, recognize.Token, first, 0},
		{"white space around it", "\n  " + first + "\r\n", recognize.Token, first, 3},
		{"a header with spaces", spaced, recognize.Token, spaced, 0},
		{"a header with line breaks", lines, recognize.Token, lines, 0},
		{"a header with carriage returns", crlf, recognize.Token, crlf, 0},
		{"a header with a tab", tab, recognize.Token, tab, 0},
		{"broken into lines", first[:30] + "\n" + first[30:90] + "\r\n  " + first[90:], recognize.Token, first, 0},
		{"in quotation marks", `"` + first + `"`, recognize.Token, first, 1},
		{"padding", first + "==", recognize.Token, first + "==", 0},
		{"an empty signature", unsigned, recognize.Token, unsigned, 0},
		{"Bearer", "Bearer " + first, recognize.Token, first, 7},
		{"a header line", "Authorization: Bearer " + first, recognize.Token, first, 22},
		{"a header line in another letter case", "authorization:\tBEARER  " + first, recognize.Token, first, 23},
		{"a header line of another scheme", "Authorization: Token " + first, recognize.Token, first, 21},
		{"a cookie", "Cookie: a=b; token=" + first + "; c=d", recognize.Token, first, 19},
		{"a signed cookie", "Cookie: token=s%3A" + first + "%2e; c=d", recognize.Token, first, 0},
		{
			"a curl command", "curl 'https://x.example/a' \\\n -H 'authorization: Bearer " + first + "' --data '{}'",
			recognize.Token, first, 56,
		},
		{
			"a curl command with two tokens", "curl -b 'session=" + second + "' -H \"Authorization: Bearer " + first + "\"",
			recognize.Token, first, 0,
		},
		{"the same token twice", first + " " + first, recognize.Token, first, 0},
		{"a URL", "https://x.example/?userToken=" + first + "&a=b", recognize.Token, first, 29},
		{"the end of a sentence", "The token is " + first + ".", recognize.Token, first, 13},
		{
			"an HTTP request", "GET /projects HTTP/1.1\r\nAuthorization: Bearer " + first + "\r\nHost: x\r\n\r\n",
			recognize.Token, first, 46,
		},
		{"a claim", `{"integration:*": true}`, recognize.Claim, "", 0},
		{"the empty claim", " {} ", recognize.Claim, "{}", 1},
		{"a claim with a mistake", `{"integration": true}`, recognize.Claim, "", 0},
		{"a claim that is cut", `{"integration:*":`, recognize.Claim, "", 0},
		{"a claim that is an array", `[true]`, recognize.Claim, "", 0},
		{"a claim that is a string", `"{\"integration:*\":true}"`, recognize.Claim, "", 0},
		{"a claim with a registered name", `{"sub": true, "integration:*": true}`, recognize.Claim, "", 0},
		{"a claim that names a token", `{"integration:` + first + `": true}`, recognize.Claim, "", 0},
		{"a claim with a misspelled scope", `{"integraton:paragon": false}`, recognize.Claim, "", 0},
		{"a claims set", `{"sub": "ann", "exp": 5}`, recognize.Payload, "", 0},
		{"a claims set with the claim alone", `{"urn:useparagon:connect:permissions": {}}`, recognize.Payload, "", 0},
		{"a claims set with a misspelled claim", `{"urn-useparagon-permissions": {}}`, recognize.Payload, "", 0},
		{"a claims set with an escaped name", `{"s\u0075b": "ann"}`, recognize.Payload, "", 0},
		{"a claims set with a token", `{"sub": "ann", "session": "` + first + `"}`, recognize.Payload, "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.want == "" {
				test.want = test.text
			}
			in, err := recognize.Find([]byte(test.text))
			require.NoError(t, err)
			require.Equal(t, test.form, in.Form)
			require.Equal(t, test.want, in.Text)
			if test.offset > 0 {
				require.Equal(t, test.offset, in.Offset)
				require.True(t, strings.HasPrefix(test.text[in.Offset:], test.want[:min(10, len(test.want))]))
			}
		})
	}
}

func TestFindRefuses(t *testing.T) {
	parts := strings.Split(first, ".")
	for _, test := range []struct {
		name, text, want string
		offset           int
	}{
		{"nothing", "", "nothing in it", 0},
		{"white space", " \n\t", "nothing in it", 0},
		{"prose", "hello world", "neither a token nor a claim", 0},
		{"two words with dots", "www.example.com", "neither a token nor a claim", 0},
		{"a shell variable", "Authorization: Bearer $TOKEN", "neither a token nor a claim", 0},
		{"two tokens", first + "\n" + second, "several different tokens", len(first) + 1},
		{"two after Bearer", "Bearer " + first + " Bearer " + second, "several different tokens", 15 + len(first)},
		{"one part", "x: " + parts[0], "1 parts", 3},
		{"two parts", parts[0] + "." + parts[1], "2 parts", 0},
		{"four parts", first + "." + parts[2], "4 parts", 0},
		{"five parts", first + ".a.b", "encrypted", 0},
		{"a private key", "-----BEGIN PRIVATE KEY-----\nMII", "a key", 0},
		{"not text", "\xff\xfe\xfd", "not text", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			in, err := recognize.Find([]byte(test.text))
			require.Zero(t, in)
			var e *recognize.Error
			require.True(t, errors.As(err, &e))
			require.ErrorContains(t, err, test.want)
			require.Equal(t, test.offset, e.Offset)
		})
	}
}

func TestDecode(t *testing.T) {
	for _, test := range []struct{ name, data, want string }{
		{"UTF-8", "é", "é"},
		{"UTF-8 with a byte order mark", "\xef\xbb\xbfé", "é"},
		{"UTF-16, little endian", "\xff\xfea\x00\xe9\x00\x3d\xd8\x00\xde", "aé😀"},
		{"UTF-16, big endian", "\xfe\xff\x00a\x00\xe9\xd8\x3d\xde\x00", "aé😀"},
		{"UTF-16 that is cut", "\xff\xfea\x00b", "a"},
		{"a lone surrogate", "\xfe\xff\xd8\x3d", "\ufffd"},
		{"nothing", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, string(recognize.Decode([]byte(test.data))))
		})
	}
}

func TestIsSecret(t *testing.T) {
	for _, secret := range []string{
		first, spaced, lines, crlf, tab, "Bearer " + first, "--token=" + first, first[:30], "s%3A" + first,
		strings.Split(first, ".")[0],
		"-----BEGIN RSA PRIVATE KEY-----", "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t", "MII" + strings.Repeat("A", 100),
	} {
		require.True(t, recognize.IsSecret(secret), secret)
	}
	for _, plain := range []string{
		"", "slack", "claim.json", "3fa85f64-5717-4562-b3fc-2c963f66afa6",
		"useparagon.com/1f0b7c3e-5c2d-4a57-8d7b-90e2a9c6d311", "/home/ann/" + strings.Repeat("directory/", 20),
		`{"integration":"slack"}`, "ext:" + strings.Repeat("x", 200), "renewonboarding-state",
		"https://example.com/.well-known/jwks.json",
	} {
		require.False(t, recognize.IsSecret(plain), plain)
	}
}

func TestRedact(t *testing.T) {
	for _, token := range []string{first, spaced, lines, crlf, tab, strings.Split(first, ".")[0], "x" + first} {
		got := recognize.Redact("before " + token + " after")
		require.NotContains(t, got, token[4:20])
		require.True(t, strings.HasPrefix(got, "before ") && strings.HasSuffix(got, " after"), got)
	}
	for _, plain := range []string{"", "integration:\"slack\"", "they have a view", "renewonboarding-state"} {
		require.Equal(t, plain, recognize.Redact(plain))
	}
}

func TestSplit(t *testing.T) {
	header, payload, err := recognize.Split(first)
	require.NoError(t, err)
	require.Equal(t, `{"alg":"RS256","typ":"JWT"}`, string(header))
	require.Equal(t, `{"sub":"ann","exp":1764100000}`, string(payload))
	standard := base64.StdEncoding.EncodeToString
	header, payload, err = recognize.Split(standard([]byte(`{"a":"~~~?"}`)) + "." + standard([]byte(`{}`)) + ".")
	require.NoError(t, err)
	require.Equal(t, `{"a":"~~~?"} {}`, string(header)+" "+string(payload))
	for _, bad := range []string{"", "a.b", "a.b.c.d", "!.e30.x", "e30.!.x"} {
		_, _, err := recognize.Split(bad)
		require.Error(t, err, bad)
	}
}

func TestForms(t *testing.T) {
	require.Equal(t, "a token", recognize.Token.String())
	require.Equal(t, "a claims set", recognize.Payload.String())
	require.Equal(t, "a permissions claim", recognize.Claim.String())
	require.Equal(t, "nothing", recognize.Form(0).String())
}

// FuzzRecognize requires of every input that what is found is in it, that a token has the form of one, that an
// error repeats nothing of it, and that a token is found in what is put around it.
func FuzzRecognize(f *testing.F) {
	for _, seed := range []string{
		first, spaced, "Bearer " + first, "Cookie: a=" + first + "; b=" + second,
		"curl -H 'Authorization: Bearer " + first + "'", "curl -XPUT https://x.example/a?b -H 'X-Paragon-Credential: c'",
		"GET /a?b HTTP/1.1\r\nAuthorization: Bearer " + first, `{"integration:*": true}`, `{"sub":"ann"}`, `"{}"`,
		`"` + first + `"`, "[", "eyJhbGciOi.x", "s%3A" + first, first[:50] + "\n" + first[50:],
		"\xff\xfe{\x00}\x00", "\xef\xbb\xbf{}", "-----BEGIN", "eyJ", "%", "%%41", first + "." + first, "ew0K" + first,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text := recognize.Decode(data)
		in, err := recognize.Find(text)
		if err != nil {
			var e *recognize.Error
			if !errors.As(err, &e) || in != (recognize.Input{}) || e.Offset < 0 || e.Offset > len(text) {
				t.Fatalf("%v", err)
			}
			for i := 0; i+30 <= len(text); i++ {
				if strings.Contains(err.Error(), string(text[i:i+30])) && !strings.Contains(plainWords, string(text[i:i+30])) {
					t.Fatalf("the error repeats the input: %v", err)
				}
			}
			return
		}
		again, err := recognize.Find(text)
		if err != nil || again != in {
			t.Fatal("it finds something else the second time")
		}
		switch in.Form {
		case recognize.Token:
			if strings.ContainsAny(in.Text, " \t\r\n\"'") || strings.Count(in.Text, ".") != 2 {
				t.Fatalf("%q is not a token", in.Text)
			}
			_, err := recognize.Find([]byte("curl -H 'Authorization: Bearer " + in.Text + "'"))
			if err != nil && !strings.ContainsAny(in.Text, "+/=") {
				t.Fatalf("it is not found in a command: %v", err)
			}
			if !recognize.IsSecret(in.Text) {
				t.Fatal("it is not taken for a secret as an argument")
			}
		case recognize.Claim, recognize.Payload:
			if in.Offset+len(in.Text) > len(text) || string(text[in.Offset:in.Offset+len(in.Text)]) != in.Text {
				t.Fatal("it is not where the offset says")
			}
		default:
			t.Fatal("it has no form")
		}
		recognize.Redact(string(text))
		if r, ok := recognize.FindRequest(text); ok && (r.Method == "" || strings.Contains(r.Path, "?")) {
			t.Fatalf("%+v is not a request", r)
		}
	})
}

// plainWords has the words of the errors, which an input may have too.
const plainWords = "there is nothing in it " +
	"there are several different tokens in it; give the one that is meant alone " +
	"there is an encrypted token in it, which has five parts; a Paragon User Token is signed and not encrypted " +
	"there is a key in it, and neither a token nor a claim there is neither a token nor a claim in it it is not text " +
	"there is a token in it that is not whole: it has a token has three, with dots between them"
