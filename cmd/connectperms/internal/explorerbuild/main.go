// The command explorerbuild builds the explorer's page. Run it in the folder of the module, after
// npm ci --ignore-scripts in explorer/web:
//
//	go run ./internal/explorerbuild            builds the page that package explorer embeds: explorer/dist
//	go run ./internal/explorerbuild -check     says whether explorer/dist is what the sources make
//	go run ./internal/explorerbuild -o DIR     builds a folder of static files for any host
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/connectperms/permissions/cmd/connectperms/internal/bundle"
)

func main() {
	out := flag.String("o", "", "build static files, with the library as WebAssembly, into this `folder`")
	check := flag.Bool("check", false, "build, write nothing, and fail if explorer/dist differs")
	version := flag.String("version", "", "the `version` that static files show")
	flag.Parse()
	if err := build(os.Stdout, *out, *version, *check); err != nil {
		fmt.Fprintln(os.Stderr, "explorerbuild:", err)
		os.Exit(1)
	}
}

func build(w io.Writer, out, version string, check bool) error {
	if out != "" {
		files, err := bundle.Static(".", version)
		if err != nil {
			return err
		}
		if err := files.Write(out); err != nil {
			return err
		}
		return sizes(w, files)
	}
	files, err := bundle.Loopback(".")
	if err != nil {
		return err
	}
	dist := filepath.Join("explorer", "dist")
	if !check {
		if err := files.Write(dist); err != nil {
			return err
		}
		return sizes(w, files)
	}
	names, err := files.Differs(dist)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		return fmt.Errorf("explorer/dist is not what the sources make: %s; run go run ./internal/explorerbuild",
			strings.Join(names, ", "))
	}
	return nil
}

// sizes prints how large the files are, as they are and in brotli.
func sizes(w io.Writer, files bundle.Files) error {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		compressed, err := bundle.Brotli(files[name])
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%-14s %9d bytes  %9d in brotli\n", name, len(files[name]), compressed); err != nil {
			return err
		}
	}
	return nil
}
