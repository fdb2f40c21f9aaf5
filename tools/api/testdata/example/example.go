// Package example has one of everything.
package example

import "io"

const Three = 3

var Err error

type Plain int

func (Plain) Value() string    { return "" }
func (p *Plain) Set(s string)  {}
func (Plain) hidden()          {}
func New(r io.Reader) *Struct  { return nil }
func unexported()              { New(nil).of.hidden(); unexported() }
func Generic[T any](list ...T) {}

type Struct struct {
	Name string
	of   Plain
}

type Doer interface {
	Do(n int) error
	private()
}

type Alias = io.Writer
