package main

import (
	"slices"
	"strings"
	"testing"
)

func TestList(t *testing.T) {
	got, err := list("testdata/example", "./...")
	if err != nil {
		t.Fatal(err)
	}
	const prefix = "package github.com/connectperms/permissions/tools/api/testdata/example, "
	want := []string{
		"const Three untyped int = 3",
		"func Generic[T any](list ...T)",
		"func New(io.Reader) *Struct",
		"method (*Plain) Set(string)",
		"method (Plain) Value() string",
		"type Alias = io.Writer",
		"type Doer interface",
		"type Doer interface, Do(int) error",
		"type Doer interface, with methods that are not exported",
		"type Plain int",
		"type Struct struct",
		"type Struct struct, Name string",
		"var Err error",
	}
	for i := range want {
		want[i] = prefix + want[i]
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestListOfNothing(t *testing.T) {
	for _, pattern := range []string{"./internal/...", "./command", "./missing"} {
		if lines, err := list("testdata/example", pattern); err == nil {
			t.Errorf("%s: %v", pattern, lines)
		}
	}
}
