package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
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
	"github.com/connectperms/permissions/forwardauth"
	"github.com/connectperms/permissions/usertoken"
)

// bounds says how much is measured.
type bounds struct {
	requests    int           // for each row
	limit       time.Duration // for each row
	connections []int
	replicas    []int
}

var defaultBounds = bounds{requests: 6000, limit: 6 * time.Second, connections: []int{1, 16, 256},
	replicas: []int{1, 3}}

// What a replica checks.
const (
	checkNothing = "nothing" // a server that answers yes and reads nothing
	checkAll     = "all"     // the decision server
)

// serveReplica serves decisions until its input ends. The input begins with the public key in PEM and an
// empty line. It prints its address, and for each line that follows the CPU time that it has used, in
// microseconds.
func serveReplica(check string, in io.Reader, out io.Writer) error {
	input := bufio.NewScanner(in)
	var text strings.Builder
	for input.Scan() && input.Text() != "" {
		text.WriteString(input.Text() + "\n")
	}
	key, err := usertoken.ParsePublicKey(text.String())
	if err != nil {
		return err
	}
	verifier, err := usertoken.NewVerifier("load", key)
	if err != nil {
		return err
	}
	var decision http.Handler
	switch check {
	case checkNothing:
		decision = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(forwardauth.SubjectHeader, "nobody")
			w.WriteHeader(http.StatusNoContent)
		})
	case checkAll:
		if decision, err = forwardauth.New(forwardauth.DialectNginx, verifier, routes); err != nil {
			return err
		}
	default:
		return fmt.Errorf("there is no check %q", check)
	}
	addr, server, err := serve(decision)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, addr)
	for input.Scan() {
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			return err
		}
		fmt.Fprintln(out, time.Duration(usage.Utime.Nano()+usage.Stime.Nano()).Microseconds())
	}
	return errors.Join(input.Err(), server.Close())
}

// A replica is a decision server in a process of its own.
type replica struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	addr string
}

func startReplica(check string, key *rsa.PublicKey) (*replica, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r := &replica{cmd: exec.Command(program, "-replica", check)}
	r.cmd.Stderr = os.Stderr
	if r.in, err = r.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.out = bufio.NewReader(out)
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	if _, err = r.in.Write(append(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), '\n')); err == nil {
		r.addr, err = r.out.ReadString('\n')
	}
	if r.addr = strings.TrimSpace(r.addr); err != nil {
		r.stop()
	}
	return r, err
}

func (r *replica) stop() {
	_ = r.in.Close() // which ends it
	_ = r.cmd.Wait()
}

// cpu returns the CPU time that the replica has used.
func (r *replica) cpu() (time.Duration, error) {
	if _, err := io.WriteString(r.in, "cpu\n"); err != nil {
		return 0, err
	}
	line, err := r.out.ReadString('\n')
	if err != nil {
		return 0, err
	}
	us, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	return time.Duration(us) * time.Microsecond, err
}

// A bench is nginx in front of a service in this process, and the replicas that nginx asks.
type bench struct {
	*stack
	replicas []*replica
	token    string
	leaked   atomic.Int64 // requests that the service got and should not have got
}

func startBench(key *rsa.PrivateKey, token, check string, replicas int) (b *bench, err error) {
	b = &bench{stack: new(stack), token: token}
	dir, err := os.MkdirTemp("", "gateway")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) // nginx has read its files by then, or has not started
	defer func() {
		if err != nil {
			b.stop()
		}
	}()
	var addrs []string
	for range replicas {
		r, err := startReplica(check, &key.PublicKey)
		if err != nil {
			return nil, err
		}
		b.replicas = append(b.replicas, r)
		addrs = append(addrs, r.addr)
	}
	service, server, err := serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/integrations/slack/proxy/") {
			b.leaked.Add(1)
		}
		_, _ = io.WriteString(w, "served")
	}))
	if err != nil {
		return nil, err
	}
	b.servers = append(b.servers, server)
	return b, b.startGateway(dir, gateways[0], addrs, service)
}

func (b *bench) stop() {
	_ = b.stack.stop()
	for _, r := range b.replicas {
		r.stop()
	}
}

func (b *bench) cpu() (total time.Duration, err error) {
	for _, r := range b.replicas {
		used, err := r.cpu()
		if err != nil {
			return 0, err
		}
		total += used
	}
	return total, nil
}

// counts says what became of requests.
type counts struct {
	yes, no, wrong int           // wrong: allowed requests answered with 403, and denied ones that were served
	failed         int           // no answer, or 5xx
	longest        time.Duration // of the failures
	latencies      []time.Duration
	took           time.Duration
}

// drive sends requests over several connections, on each one after the other. If mixed is true, every second request
// is one to deny. It calls half halfway, unless half is nil.
func (b *bench) drive(requests, connections int, limit time.Duration, mixed bool, half func()) counts {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections,
		DialContext: (&net.Dialer{Timeout: time.Second}).DialContext,
	}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	var sent atomic.Int64
	results := make([]counts, connections)
	var wg sync.WaitGroup
	start := time.Now()
	for i := range connections {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c := &results[i]
			for ctx.Err() == nil {
				n := sent.Add(1)
				if n > int64(requests) {
					return
				}
				if half != nil && n == int64(requests/2) {
					half()
				}
				denied := mixed && n%2 == 0
				began := time.Now()
				status := ask(client, b.addr, b.token, denied)
				took := time.Since(began)
				switch {
				case status == 0 || status >= 500:
					c.failed++
					c.longest = max(c.longest, took)
				case denied && status == http.StatusForbidden:
					c.no++
				case !denied && status == http.StatusOK:
					c.yes++
				default:
					c.wrong++
				}
				c.latencies = append(c.latencies, took)
			}
		}()
	}
	wg.Wait()
	total := counts{took: time.Since(start)}
	for _, c := range results {
		total.yes, total.no, total.wrong, total.failed = total.yes+c.yes, total.no+c.no, total.wrong+c.wrong,
			total.failed+c.failed
		total.longest = max(total.longest, c.longest)
		total.latencies = append(total.latencies, c.latencies...)
	}
	slices.Sort(total.latencies)
	return total
}

// ask returns the status of the answer to a request, or 0 if there was none.
func ask(client *http.Client, addr, token string, denied bool) int {
	path := "/integrations/slack/proxy/chat.postMessage"
	if denied {
		path = "/integrations/jira/proxy/issue"
	}
	r, err := http.NewRequest("POST", "http://"+addr+path, nil)
	if err != nil {
		return 0
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("X-Paragon-Credential", "3fa85f64-5717-4562-b3fc-2c963f66afa6")
	resp, err := client.Do(r)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0
	}
	return resp.StatusCode
}

// A row is what was measured of replicas over some connections.
type row struct {
	check                 string
	replicas, connections int
	counts
	cpu time.Duration // of all replicas, for a request
}

// measureInto measures everything and writes it into a file, or prints it if there is none.
func measureInto(file string, bounds bounds) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	signer, err := usertoken.NewSigner("load", key)
	if err != nil {
		return err
	}
	var claim strings.Builder
	claim.WriteString(`{"integration:slack": {"credential:*": ["proxy-api"]`)
	for i := range 4 {
		fmt.Fprintf(&claim, `, "credential:%08d-5717-4562-b3fc-2c963f66afa6": false`, i)
	}
	claim.WriteString("}}")
	token, err := signer.Sign("3fa85f64-5717-4562-b3fc-2c963f66afa6", permissions.MustParse(claim.String()))
	if err != nil {
		return err
	}
	busy := loadAverage()
	var rows []row
	for _, replicas := range bounds.replicas {
		for _, check := range []string{checkNothing, checkAll} {
			measured, err := measureRows(key, token, check, replicas, bounds)
			if err != nil {
				return err
			}
			rows = append(rows, measured...)
		}
	}
	killed, leaked, err := measureKill(key, token, bounds)
	if err != nil {
		return err
	}
	text := report(rows, killed, leaked, len(token), bounds, busy)
	if file == "" {
		fmt.Print(text)
		return nil
	}
	return os.WriteFile(file, []byte(text), 0o644)
}

func measureRows(key *rsa.PrivateKey, token, check string, replicas int, bounds bounds) (rows []row, err error) {
	b, err := startBench(key, token, check, replicas)
	if err != nil {
		return nil, err
	}
	defer b.stop()
	b.drive(bounds.requests/10, 16, bounds.limit, false, nil) // to warm up
	for _, connections := range bounds.connections {
		before, err := b.cpu()
		if err != nil {
			return nil, err
		}
		c := b.drive(bounds.requests, connections, bounds.limit, false, nil)
		after, err := b.cpu()
		if err != nil {
			return nil, err
		}
		if c.yes == 0 || c.wrong+c.failed > 0 {
			return nil, fmt.Errorf("%s, %d replicas, %d connections: %d passed, %d were refused and %d failed",
				check, replicas, connections, c.yes, c.wrong, c.failed)
		}
		rows = append(rows, row{check, replicas, connections, c, (after - before) / time.Duration(len(c.latencies))})
	}
	return rows, nil
}

// measureKill kills one of three replicas while every second request is one that must be denied.
func measureKill(key *rsa.PrivateKey, token string, bounds bounds) (c counts, leaked int64, err error) {
	b, err := startBench(key, token, checkAll, 3)
	if err != nil {
		return c, 0, err
	}
	defer b.stop()
	c = b.drive(bounds.requests, 16, bounds.limit, true, func() { _ = b.replicas[1].cmd.Process.Kill() })
	if c.wrong > 0 || b.leaked.Load() > 0 {
		return c, b.leaked.Load(),
			fmt.Errorf("a replica was killed: %d wrong answers, and %d denied requests reached the service",
				c.wrong, b.leaked.Load())
	}
	return c, b.leaked.Load(), nil
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

// report returns the results as Markdown.
func report(rows []row, killed counts, leaked int64, token int, bounds bounds, busy string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Load

What the decision server of this directory costs after nginx, beside a server in its place that answers yes
and reads nothing. All ran on one machine of %d CPUs (%s, %s/%s): the client, nginx with one worker, the
replicas of the decision server, and the service. So requests per second and latencies are those of all of
them together, and with one worker nginx may be the limit. The CPU time is that of the replicas alone. Before
the run the load average of the machine was %s: what else it did took from the requests per second.

Each row is up to %d requests, or %v if that was less. A connection sends one request after the other and is
kept alive. The token has %d bytes and a claim of 5 rules.

| replicas | connections | check | requests/s | p50 | p99 | CPU/request |
|---|---|---|---|---|---|---|
`, runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH, busy, bounds.requests, bounds.limit, token)
	checks := map[string]string{checkNothing: "taken out", checkAll: "**token and policy**"}
	for _, r := range rows {
		n := len(r.latencies)
		fmt.Fprintf(&b, "| %d | %d | %s | %.0f | %.2f ms | %.2f ms | %d µs |\n", r.replicas, r.connections,
			checks[r.check],
			float64(n)/r.took.Seconds(), ms(r.latencies[n/2]), ms(r.latencies[n*99/100]), r.cpu.Microseconds())
	}
	failures := ""
	if killed.failed > 0 {
		failures = fmt.Sprintf(" The longest failure took %.0f ms.", ms(killed.longest))
	}
	fmt.Fprintf(&b, `
## A replica is killed

Three replicas, 16 connections, %d requests. Every second one must be denied. Halfway one replica is
killed (SIGKILL).

| allowed and served | denied and refused | wrong answers | denied requests that reached the service | failed (5xx or no answer) |
|---|---|---|---|---|
| %d | %d | %d | %d | %d |

nginx asks another replica when one does not answer.%s A replica needs nothing but the token, so there is
nothing that replicas would have to agree on.

To repeat: %sgo -C examples/gateway run . -load -o LOAD.md%s
`, killed.yes+killed.no+killed.wrong+killed.failed, killed.yes, killed.no, killed.wrong, leaked, killed.failed, failures, "`", "`")
	return b.String()
}

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }
