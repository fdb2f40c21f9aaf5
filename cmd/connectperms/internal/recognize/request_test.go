package recognize_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/cmd/connectperms/internal/recognize"
)

func TestFindRequest(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       recognize.Request
	}{
		{"a GET", `curl https://x.example/a/b?userToken=secret`, recognize.Request{Method: "GET", Path: "/a/b"}},
		{"a method", `curl -X DELETE 'https://x.example/a'`, recognize.Request{Method: "DELETE", Path: "/a"}},
		{
			"a method in lower case", `curl --request=patch "https://x.example/a"`,
			recognize.Request{Method: "PATCH", Path: "/a"},
		},
		{"data", `curl https://x.example/a --data-raw '{}'`, recognize.Request{Method: "POST", Path: "/a"}},
		{"data and a method", `curl https://x.example/a -d @x -X PUT`, recognize.Request{Method: "PUT", Path: "/a"}},
		{"without a path", `curl https://x.example`, recognize.Request{Method: "GET"}},
		{
			"headers", "curl 'https://x.example/a' \\\n -H 'X-Paragon-Credential: ext:finance team' \\\n" +
				" -H 'x-paragon-configuration-id: Team A' -H \"X-Paragon-User-Metadata: e30\"",
			recognize.Request{
				Method: "GET", Path: "/a", Credential: "ext:finance team", Configuration: "Team A", WritesMetadata: true,
			},
		},
		{
			"a command of Windows", "curl ^\"https://x.example/a^\" -H ^\"X-Paragon-Credential: finance^\"",
			recognize.Request{Method: "GET", Path: "/a", Credential: "finance"},
		},
		{
			"an HTTP request", "POST /a/b?c HTTP/1.1\r\nHost: x.example\r\nX-Paragon-Credential: finance\r\n\r\n",
			recognize.Request{Method: "POST", Path: "/a/b", Credential: "finance"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := recognize.FindRequest([]byte(test.text))
			require.True(t, ok)
			require.Equal(t, test.want, got)
		})
	}
	for _, none := range []string{
		"", first, "Authorization: Bearer " + first, "https://x.example/a", "curl x", "{}", "curl http://%zz",
	} {
		_, ok := recognize.FindRequest([]byte(none))
		require.False(t, ok, none)
	}
}
