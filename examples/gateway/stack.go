package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

//go:embed nginx.conf
var nginxConf string

// A stack is nginx, a decision server and a service, all on loopback.
type stack struct {
	url      string // of nginx
	decision *http.Server
	service  *http.Server
	nginx    *exec.Cmd
	exited   chan struct{}
	log      bytes.Buffer // of nginx; read it once nginx has exited
}

// startStack starts all three on ports that are free. The directory is for nginx's files.
func startStack(dir string, decision, service http.Handler) (*stack, error) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		return nil, errors.New("nginx is not installed: on Debian, apt-get install nginx")
	}
	s := &stack{exited: make(chan struct{})}
	decisionAddr, err := serve(&s.decision, decision)
	if err != nil {
		return nil, err
	}
	serviceAddr, err := serve(&s.service, service)
	if err != nil {
		return nil, errors.Join(err, s.decision.Close())
	}
	if err := s.startNginx(path, dir, decisionAddr, serviceAddr); err != nil {
		return nil, errors.Join(err, s.decision.Close(), s.service.Close())
	}
	return s, nil
}

// serve serves on a free port of loopback.
func serve(server **http.Server, h http.Handler) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	*server = newServer(h)
	go (*server).Serve(listener)
	return listener.Addr().String(), nil
}

// startNginx starts nginx with the addresses of nginx.conf replaced, and waits until it
// listens.
func (s *stack) startNginx(path, dir, decision, service string) error {
	// nginx cannot tell which free port it was given, so one is looked for first.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	addr := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return err
	}
	conf := nginxConf
	for was, is := range map[string]string{"127.0.0.1:9001": decision, "127.0.0.1:9002": service, "127.0.0.1:8080": addr} {
		if strings.Count(nginxConf, was) != 1 {
			return fmt.Errorf("nginx.conf does not have %s once", was)
		}
		conf = strings.Replace(conf, was+";", is+";", 1)
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return err
	}
	s.url = "http://" + addr
	s.nginx = exec.Command(path, "-e", "stderr", "-p", dir, "-c", file, "-g", "daemon off;")
	s.nginx.Stderr = &s.log
	if err := s.nginx.Start(); err != nil {
		return err
	}
	go func() {
		_ = s.nginx.Wait() // how it ended is in the log
		close(s.exited)
	}()
	for {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-s.exited:
			return fmt.Errorf("nginx has not started: %s", s.log.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// stop stops all three.
func (s *stack) stop(ctx context.Context) error {
	err := errors.Join(s.nginx.Process.Signal(syscall.SIGTERM), s.decision.Close(), s.service.Close())
	select {
	case <-s.exited:
	case <-ctx.Done():
		err = errors.Join(err, s.nginx.Process.Kill(), ctx.Err())
	}
	return err
}

func newServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 128 << 10}
}
