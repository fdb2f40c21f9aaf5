// Package databases starts PostgreSQL and MariaDB for tests and measurements: on the loopback interface,
// on a free port, as an ordinary user, and in a directory that is removed in the end. The servers are
// those of Debian's packages postgresql and mariadb-server.
package databases

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver mysql
	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
)

// A Server is a database server that runs until it is stopped.
type Server struct {
	// Source is what sql.Open takes, with the driver pgx or mysql. For PostgreSQL it is a URL, which
	// pgx takes too.
	Source string

	directory string
	process   *exec.Cmd
	ended     chan error
	log       *bytes.Buffer
}

// StartPostgreSQL starts PostgreSQL with an empty database in the encoding UTF8.
func StartPostgreSQL(ctx context.Context) (*Server, error) {
	initdb, err := program("initdb", "/usr/lib/postgresql/*/bin", "postgresql")
	if err != nil {
		return nil, err
	}
	s, who, err := newServer("postgres")
	if err != nil {
		return nil, err
	}
	data, password := filepath.Join(s.directory, "data"), rand.Text()
	passwordFile := filepath.Join(s.directory, "password")
	if err := os.WriteFile(passwordFile, []byte(password), 0o644); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	err = who.run(ctx, s.directory, initdb, "--pgdata="+data, "--username=lists", "--auth=scram-sha-256",
		"--pwfile="+passwordFile,
		"--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	port, err := freePort()
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	s.Source = fmt.Sprintf("postgres://lists:%s@127.0.0.1:%d/postgres?sslmode=disable", password, port)
	return s, s.start(ctx, who, "pgx", filepath.Join(filepath.Dir(initdb), "postgres"), "-D", data, "-h", "127.0.0.1",
		"-p", strconv.Itoa(port),
		"-k", s.directory, "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off", "-c",
		"jit=off",
		"-c", "shared_buffers=256MB", "-c", "max_wal_size=2GB")
}

// StartMariaDB starts MariaDB with an empty database.
func StartMariaDB(ctx context.Context) (*Server, error) {
	install, err := program("mariadb-install-db", "/usr/bin", "mariadb-server")
	if err != nil {
		return nil, err
	}
	daemon, err := program("mariadbd", "/usr/sbin", "mariadb-server")
	if err != nil {
		return nil, err
	}
	s, who, err := newServer("mysql")
	if err != nil {
		return nil, err
	}
	data, password := filepath.Join(s.directory, "data"), rand.Text()
	// A server removes temporary tables from its folder when it starts, those of another server among them.
	temporary := "--tmpdir=" + s.directory
	err = who.run(ctx, s.directory, install, "--no-defaults", "--datadir="+data, temporary,
		"--auth-root-authentication-method=normal", "--skip-test-db")
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	initFile := filepath.Join(s.directory, "init.sql")
	statements := "CREATE DATABASE lists;\nCREATE USER lists@127.0.0.1 IDENTIFIED BY '" + password +
		"';\nGRANT ALL ON *.* TO lists@127.0.0.1;\nDROP USER root@localhost;\n"
	if err := os.WriteFile(initFile, []byte(statements), 0o644); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	port, err := freePort()
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	s.Source = fmt.Sprintf("lists:%s@tcp(127.0.0.1:%d)/lists?multiStatements=true", password, port)
	return s, s.start(ctx, who, "mysql", daemon, "--no-defaults", "--datadir="+data, temporary, "--bind-address=127.0.0.1",
		"--port="+strconv.Itoa(port),
		"--socket="+filepath.Join(s.directory, "socket"), "--pid-file="+filepath.Join(s.directory,
			"pid"), "--init-file="+initFile,
		"--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", "--innodb-doublewrite=0",
		"--innodb-buffer-pool-size=256M", "--skip-name-resolve")
}

// program returns the path of a program of a Debian package. It must be there.
func program(name, pattern, debianPackage string) (string, error) {
	found, err := filepath.Glob(filepath.Join(pattern, name))
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("databases: there is no %s in %s: install the Debian package %s", name, pattern,
			debianPackage)
	}
	return slices.Max(found), nil
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// An account is who a server runs as. It is nil for the user of this process.
type account struct{ syscall.Credential }

// newServer makes a directory for an account. Root is not an ordinary user, and takes the named one.
func newServer(name string) (s *Server, who *account, err error) {
	s = &Server{log: new(bytes.Buffer)}
	if s.directory, err = os.MkdirTemp("", "lists-"+name+"-"); err != nil {
		return nil, nil, err
	}
	if os.Getuid() != 0 {
		return s, nil, nil
	}
	found, err := user.Lookup(name)
	if err != nil {
		return nil, nil, errors.Join(err, s.Stop())
	}
	uid, err := strconv.ParseUint(found.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(found.Gid, 10, 32)
	if err = errors.Join(err, err2); err == nil {
		err = os.Chown(s.directory, int(uid), int(gid))
	}
	if err != nil {
		return nil, nil, errors.Join(err, s.Stop())
	}
	return s, &account{syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

// command returns a command that runs as the account and dies with this process.
func (a *account) command(ctx context.Context, directory, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = directory
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + directory, "LC_ALL=C.UTF-8"}
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if a != nil {
		c.SysProcAttr.Credential = &a.Credential
	}
	return c
}

func (a *account) run(ctx context.Context, directory, name string, args ...string) error {
	if out, err := a.command(ctx, directory, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("databases: %s: %w\n%s", name, err, out)
	}
	return nil
}

// start starts the server and waits until it answers.
func (s *Server) start(ctx context.Context, who *account, driver, name string, args ...string) error {
	s.process = who.command(context.WithoutCancel(ctx), s.directory, name, args...)
	s.process.Stdout, s.process.Stderr = s.log, s.log
	if err := s.process.Start(); err != nil {
		s.process = nil
		return errors.Join(err, s.Stop())
	}
	s.ended = make(chan error, 1)
	go func() { s.ended <- s.process.Wait() }()
	db, err := sql.Open(driver, s.Source)
	if err != nil {
		return errors.Join(err, s.Stop())
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if err = db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case ended := <-s.ended:
			s.process = nil
			return errors.Join(fmt.Errorf("databases: %s ended: %v\n%s", name, ended, s.log), s.Stop())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("databases: %s does not answer: %w", name, err), s.Stop())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop stops the server and removes its directory.
func (s *Server) Stop() error {
	var err error
	if s.process != nil {
		err = s.process.Process.Signal(syscall.SIGINT) // PostgreSQL: without waiting for clients
		if strings.HasSuffix(s.process.Path, "mariadbd") {
			err = s.process.Process.Signal(syscall.SIGTERM)
		}
		select {
		case <-s.ended:
		case <-time.After(20 * time.Second):
			err = errors.Join(err, s.process.Process.Kill())
			<-s.ended
		}
		s.process = nil
	}
	return errors.Join(err, os.RemoveAll(s.directory))
}
