// Api prints the exported API of packages: a line for each constant, variable, function, type, field and method. The
// lines are sorted, so two versions can be compared line by line.
//
//	go run ./api -C .. ./...
//
// It leaves out commands and internal packages.
package main

import (
	"flag"
	"fmt"
	"go/types"
	"log"
	"os"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	log.SetFlags(0)
	dir := flag.String("C", ".", "the directory in which the patterns are looked up")
	flag.Parse()
	lines, err := list(*dir, flag.Args()...)
	if err != nil {
		log.Fatal(err)
	}
	for _, line := range lines {
		fmt.Fprintln(os.Stdout, line)
	}
}

// list returns the lines for the packages that match patterns. It is an error if one of them does not compile, or if
// nothing is exported.
func list(dir string, patterns ...string) ([]string, error) {
	mode := packages.NeedName | packages.NeedTypes | packages.NeedImports | packages.NeedDeps
	found, err := packages.Load(&packages.Config{Mode: mode, Dir: dir}, patterns...)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, p := range found {
		if len(p.Errors) > 0 {
			return nil, p.Errors[0]
		}
		if p.Name != "main" && !slices.Contains(strings.Split(p.PkgPath, "/"), "internal") {
			lines = append(lines, listPackage(p.Types)...)
		}
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("nothing is exported by %s", strings.Join(patterns, " "))
	}
	slices.Sort(lines)
	return lines, nil
}

// listPackage returns the lines for a package.
func listPackage(p *types.Package) (lines []string) {
	// Types of other packages have the name of their package, as in source.
	name := func(other *types.Package) string {
		if other == p {
			return ""
		}
		return other.Name()
	}
	add := func(format string, args ...any) {
		lines = append(lines, "package "+p.Path()+", "+fmt.Sprintf(format, args...))
	}
	for _, exported := range p.Scope().Names() {
		switch o := p.Scope().Lookup(exported).(type) {
		case *types.Const:
			if o.Exported() {
				add("%s = %s", types.ObjectString(o, name), o.Val().ExactString())
			}
		case *types.TypeName:
			if o.Exported() {
				listType(o, name, add)
			}
		case *types.Func:
			if o.Exported() {
				add("func %s%s", o.Name(), signature(o, name))
			}
		default:
			if o.Exported() {
				add("%s", types.ObjectString(o, name))
			}
		}
	}
	return lines
}

// listType adds the lines for a type.
func listType(o *types.TypeName, name types.Qualifier, add func(format string, args ...any)) {
	if o.IsAlias() {
		add("%s", types.ObjectString(o, name))
		return
	}
	switch t := o.Type().Underlying().(type) {
	case *types.Struct:
		add("type %s struct", o.Name())
		for f := range t.Fields() {
			if f.Exported() {
				add("type %s struct, %s %s", o.Name(), f.Name(), types.TypeString(f.Type(), name))
			}
		}
	case *types.Interface:
		add("type %s interface", o.Name())
		for m := range t.Methods() {
			if m.Exported() {
				add("type %s interface, %s%s", o.Name(), m.Name(), signature(m, name))
			} else {
				add("type %s interface, with methods that are not exported", o.Name())
			}
		}
	default:
		add("type %s %s", o.Name(), types.TypeString(t, name))
	}
	set := types.NewMethodSet(types.NewPointer(o.Type()))
	if types.IsInterface(o.Type()) {
		return
	}
	for i := range set.Len() {
		m := set.At(i).Obj().(*types.Func)
		if !m.Exported() {
			continue
		}
		receiver := o.Name()
		if types.NewMethodSet(o.Type()).Lookup(m.Pkg(), m.Name()) == nil {
			receiver = "*" + receiver
		}
		add("method (%s) %s%s", receiver, m.Name(), signature(m, name))
	}
}

// signature returns the types of the parameters and results of a function. Their names are not a part of the API. A
// function with type parameters keeps them.
func signature(f *types.Func, name types.Qualifier) string {
	s := f.Signature()
	if s.TypeParams() == nil {
		s = types.NewSignatureType(nil, nil, nil, withoutNames(s.Params()), withoutNames(s.Results()), s.Variadic())
	}
	return strings.TrimPrefix(types.TypeString(s, name), "func")
}

func withoutNames(list *types.Tuple) *types.Tuple {
	var without []*types.Var
	for v := range list.Variables() {
		without = append(without, types.NewParam(v.Pos(), v.Pkg(), "", v.Type()))
	}
	return types.NewTuple(without...)
}
