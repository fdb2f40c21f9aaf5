package main

import (
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
	"syscall"
	"testing"
	"time"
)

// postgreSQL is the URL of a server that TestMain starts: on the loopback interface, on a free port, as an
// ordinary user, and in a directory of its own. The tests fail if it does not start. It is that of Debian's
// package postgresql.
var postgreSQL string

func TestMain(m *testing.M) {
	code, err := withPostgreSQL(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withPostgreSQL(run func() int) (code int, err error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(found) == 0 {
		return 1, errors.New("there is no PostgreSQL in /usr/lib/postgresql: install the Debian package postgresql")
	}
	programs := slices.Max(found)
	directory, err := os.MkdirTemp("", "server-postgresql-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if os.Getuid() == 0 { // which PostgreSQL refuses
		account, err := user.Lookup("postgres")
		if err != nil {
			return 1, err
		}
		uid, _ := strconv.Atoi(account.Uid)
		gid, _ := strconv.Atoi(account.Gid)
		attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(directory, uid, gid); err != nil {
			return 1, err
		}
	}
	command := func(name string, args ...string) *exec.Cmd {
		c := exec.Command(filepath.Join(programs, name), args...)
		c.Dir, c.SysProcAttr = directory, attributes
		c.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}
		return c
	}
	password, data := rand.Text(), filepath.Join(directory, "data")
	passwordFile := filepath.Join(directory, "password")
	if err := os.WriteFile(passwordFile, []byte(password), 0o644); err != nil {
		return 1, err
	}
	out, err := command("initdb", "--pgdata="+data, "--username=server", "--auth=scram-sha-256",
		"--pwfile="+passwordFile,
		"--encoding=UTF8", "--locale=C.UTF-8", "--no-sync").CombinedOutput()
	if err != nil {
		return 1, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 1, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return 1, err
	}
	server := command("postgres", "-D", data, "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-k", directory, "-c",
		"fsync=off")
	if err := server.Start(); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, server.Process.Signal(syscall.SIGINT), server.Wait()) }()
	postgreSQL = fmt.Sprintf("postgres://server:%s@127.0.0.1:%d/postgres?sslmode=disable", password, port)
	if err := await(postgreSQL); err != nil {
		return 1, err
	}
	return run(), nil
}

// await waits until a server answers.
func await(url string) error {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		if err = db.PingContext(ctx); err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}
