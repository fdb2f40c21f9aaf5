//go:build unix

// Command load measures the forward-auth server on loopback: requests per second, latency,
// and the server's CPU time per request, beside the same server with the check taken out. The
// server is a process of its own; the client shares the machine with it.
//
//	go run ./load            print the table
//	go run ./load -o LOAD.md write it into a file
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/examples/gateway/decide"
	"github.com/connectperms/permissions/httpauth"
)

func main() {
	serveAs := flag.String("serve", "", "be the server, with this check; for the program's own use")
	requests := flag.Int("requests", 20_000, "how many requests to send to each server")
	longest := flag.Duration("longest", 20*time.Second, "how long to send them at most")
	clients := flag.Int("clients", 32, "how many to send at once")
	file := flag.String("o", "", "the file to write the table into")
	flag.Parse()
	var err error
	if *serveAs != "" {
		err = serve(*serveAs, os.Stdin, os.Stdout)
	} else {
		err = measure(*requests, *clients, *longest, *file)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// What a server checks.
const (
	checkNothing = "nothing" // the check taken out; it still reads the original request and finds the route
	checkToken   = "token"   // verified, and nothing asked
	checkAll     = "all"     // the forward-auth server as it is
)

// serve serves until its input ends. The input begins with the public key in PEM and an empty
// line. It prints its address. POST /cpu answers with the CPU time that it has used, in
// microseconds.
func serve(check string, in io.Reader, out io.Writer) error {
	text, in, err := head(in)
	if err != nil {
		return err
	}
	key, err := permissions.ParsePublicKey(text)
	if err != nil {
		return err
	}
	verifier, err := permissions.NewVerifier("load", key)
	if err != nil {
		return err
	}
	var decision http.Handler
	switch check {
	case checkNothing:
		decision = decide.Routes(func(permissions.Permission, httpauth.TargetFunc) func(http.Handler) http.Handler {
			return func(next http.Handler) http.Handler { return next }
		})
	case checkToken:
		decision = decide.Routes(func(permissions.Permission, httpauth.TargetFunc) func(http.Handler) http.Handler {
			return httpauth.New(verifier).Wrap
		})
	case checkAll:
		decision = decide.New(verifier, nil)
	default:
		return fmt.Errorf("there is no check %q", check)
	}
	mux := http.NewServeMux()
	mux.Handle("/", decision)
	mux.HandleFunc("POST /cpu", func(w http.ResponseWriter, _ *http.Request) {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, int64(usage.Utime.Sec+usage.Stime.Sec)*1e6+int64(usage.Utime.Usec+usage.Stime.Usec))
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, MaxHeaderBytes: 128 << 10}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		_ = server.Close()
	}()
	fmt.Fprintln(out, listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// head returns what stands before the first empty line, and the rest.
func head(in io.Reader) (string, io.Reader, error) {
	var text []byte
	for buffer := make([]byte, 4096); ; {
		n, err := in.Read(buffer)
		text = append(text, buffer[:n]...)
		if before, after, ok := bytes.Cut(text, []byte("\n\n")); ok {
			return string(before), io.MultiReader(bytes.NewReader(after), in), nil
		}
		if err != nil {
			return "", nil, err
		}
	}
}

// A row is what was measured of a server.
type row struct {
	name     string
	token    int     // bytes
	rate     float64 // requests per second
	p50, p99 time.Duration
	cpu      time.Duration // of the server, for a request
}

func measure(requests, clients int, longest time.Duration, file string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	signer, err := permissions.NewSigner("load", key)
	if err != nil {
		return err
	}
	small, err := token(signer, 5)
	if err != nil {
		return err
	}
	large, err := token(signer, 100)
	if err != nil {
		return err
	}
	busy := loadAverage()
	var rows []row
	for _, r := range []struct{ name, check, token string }{
		{"the check taken out", checkNothing, small},
		{"token verified, nothing asked", checkToken, small},
		{"**token verified and policy asked**", checkAll, small},
		{"the check taken out, claim of 100 rules", checkNothing, large},
		{"**verified and asked, claim of 100 rules**", checkAll, large},
	} {
		measured, err := measureServer(&key.PublicKey, r.check, r.token, requests, clients, longest)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		measured.name = r.name
		rows = append(rows, measured)
	}
	text := table(rows, requests, clients, busy)
	if file == "" {
		fmt.Print(text)
		return nil
	}
	return os.WriteFile(file, []byte(text), 0o644)
}

// token returns a token with a claim of some rules, which allows what is asked.
func token(signer *permissions.Signer, rules int) (string, error) {
	var claim strings.Builder
	claim.WriteString(`{"integration:slack": {"credential:*": ["proxy-api"]`)
	for i := range rules - 1 {
		fmt.Fprintf(&claim, `, "credential:%08d-5717-4562-b3fc-2c963f66afa6": false`, i)
	}
	claim.WriteString("}}")
	policy, err := permissions.Parse([]byte(claim.String()))
	if err != nil {
		return "", err
	}
	return signer.Sign("3fa85f64-5717-4562-b3fc-2c963f66afa6", policy)
}

// measureServer starts a server and sends it requests.
func measureServer(key *rsa.PublicKey, check, token string, requests, clients int, longest time.Duration) (row, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return row{}, err
	}
	program, err := os.Executable()
	if err != nil {
		return row{}, err
	}
	cmd := exec.Command(program, "-serve", check)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return row{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return row{}, err
	}
	if err := cmd.Start(); err != nil {
		return row{}, err
	}
	defer func() {
		_ = in.Close() // which ends it
		_ = cmd.Wait()
	}()
	if _, err := in.Write(append(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), '\n')); err != nil {
		return row{}, err
	}
	var addr string
	if _, err := fmt.Fscanln(out, &addr); err != nil {
		return row{}, err
	}
	c := &client{
		http:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}},
		url:   "http://" + addr,
		token: token,
	}
	defer c.http.CloseIdleConnections()
	if _, _, err := c.drive(requests/10, clients, longest); err != nil { // to warm up
		return row{}, err
	}
	before, err := c.cpu()
	if err != nil {
		return row{}, err
	}
	latencies, took, err := c.drive(requests, clients, longest)
	if err != nil {
		return row{}, err
	}
	after, err := c.cpu()
	if err != nil {
		return row{}, err
	}
	if len(latencies) == 0 {
		return row{}, errors.New("no request was answered in time")
	}
	slices.Sort(latencies)
	return row{
		token: len(token),
		rate:  float64(len(latencies)) / took.Seconds(),
		p50:   latencies[len(latencies)/2],
		p99:   latencies[len(latencies)*99/100],
		cpu:   (after - before) / time.Duration(len(latencies)),
	}, nil
}

type client struct {
	http       *http.Client
	url, token string
}

// drive sends requests from several goroutines, each one after the other, and returns how
// long each took, and all of them.
func (c *client) drive(requests, clients int, longest time.Duration) ([]time.Duration, time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	var left atomic.Int64
	left.Store(int64(requests))
	latencies, errs := make([][]time.Duration, clients), make([]error, clients)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range clients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for left.Add(-1) >= 0 && ctx.Err() == nil {
				sent := time.Now()
				if errs[i] = c.ask(); errs[i] != nil {
					return
				}
				latencies[i] = append(latencies[i], time.Since(sent))
			}
		}()
	}
	wg.Wait()
	return slices.Concat(latencies...), time.Since(start), errors.Join(errs...)
}

// ask sends what nginx sends. Anything but a yes is an error.
func (c *client) ask() error {
	r, err := http.NewRequest("GET", c.url, nil)
	if err != nil {
		return err
	}
	r.Header = http.Header{
		"Authorization":        {"Bearer " + c.token},
		"X-Original-Method":    {"POST"},
		"X-Original-Uri":       {"/integrations/slack/proxy/chat.postMessage"},
		"X-Paragon-Credential": {"3fa85f64-5717-4562-b3fc-2c963f66afa6"},
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("answered %s", resp.Status)
	}
	return nil
}

// cpu returns the CPU time that the server has used.
func (c *client) cpu() (time.Duration, error) {
	resp, err := c.http.Post(c.url+"/cpu", "", nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	us, err := strconv.ParseInt(string(text), 10, 64)
	return time.Duration(us) * time.Microsecond, err
}

// loadAverage says how busy the machine was in the last minute, where it can be told.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	average, _, ok := strings.Cut(string(text), " ")
	if err != nil || !ok {
		return "unknown"
	}
	return average
}

// table returns the results as Markdown.
func table(rows []row, requests, clients int, busy string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Load

What the forward-auth server of this directory costs, on loopback, beside the same server with
the check taken out. It was asked by %d clients at once, up to %d requests to each server, on one
machine of %d CPUs (%s, %s/%s) that server and clients shared. So the requests per second are those
of a client and a server together, and the CPU time is that of the server alone. The load average of
the machine before the run was %s: what else it did then took from the requests per second.

| server | token | requests/s | p50 | p99 | server CPU/request |
|---|---|---|---|---|---|
`, clients, requests, runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH, busy)
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %d B | %.0f | %.2f ms | %.2f ms | %d µs |\n",
			r.name, r.token, r.rate, ms(r.p50), ms(r.p99), r.cpu.Microseconds())
	}
	asked := rows[2]
	fmt.Fprintf(&b, `
A CPU that does nothing else so decides about %.0f requests per second, HTTP included. A decision needs
nothing but the token: no database, no cache, and nothing that replicas would have to agree on. So
replicas add up.

To repeat: %sgo -C examples/gateway run ./load -o LOAD.md%s
`, float64(time.Second)/float64(asked.cpu), "`", "`")
	return b.String()
}

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }
