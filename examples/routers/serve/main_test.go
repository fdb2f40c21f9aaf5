package main

import (
	"bytes"
	"context"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

// A page is what the program prints.
type page struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *page) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

var statusLine = regexp.MustCompile(`HTTP/1\.1 (\d+)`)

// The commands that the program prints, run with a shell, get what the program says.
func TestCommands(t *testing.T) {
	gin.SetMode(gin.TestMode)
	for name := range all {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var out page
			served := make(chan error, 1)
			go func() { served <- serve(ctx, listener, name, &out) }()
			printed := func() bool { return strings.Count(out.String(), "curl") == 3 }
			require.Eventually(t, printed, 10*time.Second, time.Millisecond)

			script := strings.ReplaceAll(out.String(), "curl -i", "curl -isS --max-time 10")
			answers, err := exec.Command("sh", "-ec", script).Output()
			require.NoError(t, err)
			allowed := "204"
			if name == "connect" {
				allowed = "200"
			}
			var codes []string
			for _, m := range statusLine.FindAllStringSubmatch(string(answers), -1) {
				codes = append(codes, m[1])
			}
			require.Equal(t, []string{allowed, "403", "401"}, codes, "%s", answers)
			require.Contains(t, out.String(), `disconnected "sales" of "slack"`)
			require.NotContains(t, out.String(), `disconnected "finance"`)
			if name == "connect" {
				require.Contains(t, string(answers), `{"code":"permission_denied","message":"permission denied"}`)
			}
			stop()
			require.NoError(t, <-served)
		})
	}
}
