package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/connectperms/permissions/forwardauth"
)

//go:embed nginx.conf Caddyfile client-headers.caddy haproxy.cfg haproxy.lua
var files embed.FS

// A gateway is a program with its configuration files.
type gateway struct {
	program string // and the name of the Debian package
	dialect forwardauth.Dialect
	files   []string // the first one has the addresses
	args    func(dir string) []string
}

var gateways = []gateway{
	{"nginx", forwardauth.DialectNginx, []string{"nginx.conf"}, func(dir string) []string {
		directives := "daemon off;"
		if os.Geteuid() == 0 {
			directives += " user root;" // another user could not write into a temporary directory of root
		}
		return []string{"-e", "stderr", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-g", directives}
	}},
	{"caddy", forwardauth.DialectCaddy, []string{"Caddyfile", "client-headers.caddy"}, func(string) []string {
		return []string{"run", "--config", "Caddyfile", "--adapter", "caddyfile"}
	}},
	{"haproxy", forwardauth.DialectHAProxy, []string{"haproxy.cfg", "haproxy.lua"}, func(string) []string {
		return []string{"-db", "-f", "haproxy.cfg"}
	}},
}

// A stack is a gateway between clients, a decision server and a service, all on loopback.
type stack struct {
	addr    string // of the gateway
	servers []*http.Server
	cmd     *exec.Cmd
	exited  chan struct{}

	mu  sync.Mutex
	log bytes.Buffer // of the gateway
}

// Write appends to the log.
func (s *stack) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

func (s *stack) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// startStack starts all three on ports that are free. The directory is for the gateway's files. The first
// of the servers is the decision server.
func startStack(dir string, g gateway, decision, service http.Handler) (*stack, error) {
	s := new(stack)
	var addrs []string
	for _, h := range []http.Handler{decision, service} {
		addr, server, err := serve(h)
		if err != nil {
			return nil, errors.Join(err, s.stop())
		}
		s.servers = append(s.servers, server)
		addrs = append(addrs, addr)
	}
	if err := s.startGateway(dir, g, addrs[:1], addrs[1]); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// serve serves on a free port of loopback.
func serve(h http.Handler) (string, *http.Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := newServer(h)
	go server.Serve(listener)
	return listener.Addr().String(), server, nil
}

// configure returns the first configuration file with the addresses in it replaced. Only nginx's can have
// more than one decision server.
func (g gateway) configure(addr string, decisions []string, service string) (string, error) {
	text, err := files.ReadFile(g.files[0])
	if err != nil {
		return "", err
	}
	conf := string(text)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	decision := decisions[0]
	for _, another := range decisions[1:] {
		decision += ";\n        server " + another
	}
	for _, change := range [][2]string{{"127.0.0.1:9001", decision}, {"127.0.0.1:9002", service},
		{":8080", ":" + port}} {
		if strings.Count(conf, change[0]) != 1 {
			return "", fmt.Errorf("%s does not have %s once", g.files[0], change[0])
		}
		conf = strings.Replace(conf, change[0], change[1], 1)
	}
	return conf, nil
}

// startGateway starts the program and waits until it listens.
func (s *stack) startGateway(dir string, g gateway, decisions []string, service string) error {
	path, err := exec.LookPath(g.program)
	if err != nil {
		return fmt.Errorf("%s is not installed: on Debian, apt-get install %[1]s", g.program)
	}
	// A program cannot tell which free port it was given, so one is looked for first.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.addr = listener.Addr().String()
	if err := listener.Close(); err != nil {
		return err
	}
	conf, err := g.configure(s.addr, decisions, service)
	if err != nil {
		return err
	}
	for i, name := range g.files {
		text := []byte(conf)
		if i > 0 {
			if text, err = files.ReadFile(name); err != nil {
				return err
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	s.cmd = exec.Command(path, g.args(dir)...)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = dir, s, s
	s.cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	s.cmd.WaitDelay = time.Second
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return err
	}
	s.exited = make(chan struct{})
	go func() {
		_ = s.cmd.Wait() // how it ended is in the log
		close(s.exited)
	}()
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := net.Dial("tcp", s.addr)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not listen: %s", g.program, s.logged())
		}
		select {
		case <-s.exited:
			return fmt.Errorf("%s has not started: %s", g.program, s.logged())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// stop stops everything.
func (s *stack) stop() (err error) {
	if s.cmd != nil {
		err = s.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.exited:
		case <-time.After(3 * time.Second): // HAProxy waits for open connections
			err = errors.Join(err, s.cmd.Process.Kill())
			<-s.exited
		}
		if errors.Is(err, os.ErrProcessDone) {
			err = nil
		}
	}
	for _, server := range s.servers {
		err = errors.Join(err, server.Close())
	}
	return err
}

// newServer returns a server for decisions. The token is in a header, so headers may be large.
func newServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 128 << 10}
}

// serveUntil serves on an address until ctx is done.
func serveUntil(ctx context.Context, addr string, h http.Handler) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := newServer(h)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		return server.Close()
	}
}
