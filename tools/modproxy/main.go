// Command modproxy writes the modules that others install from this repository as a tree that the go command reads as
// a module proxy (GOPROXY=file://DIRECTORY). With it, what users do can be tried before a version is published.
//
//	modproxy [-checkout DIRECTORY] [-version VERSION] [-check] DIRECTORY
//	modproxy [-checkout DIRECTORY] [-version VERSION] [-check] -list
//
// The modules are the root module and each nested module with a go.work beside its go.mod. All have one version: the
// one of the root module that the nested modules require. Files that git ignores are left out.
//
// With -check it first refuses modules that others could not install. With -list it writes nothing. It prints the
// folder, the path and the version of each module, the root module first.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

func main() {
	checkout := flag.String("checkout", ".", "the root of the repository")
	version := flag.String("version", "", "the version, instead of the one that the nested modules require")
	check := flag.Bool("check", false, "refuse modules that others could not install")
	list := flag.Bool("list", false, "only print the modules")
	flag.Parse()
	if *list != (flag.NArg() == 0) || flag.NArg() > 1 {
		flag.Usage()
		os.Exit(2)
	}
	r, err := open(*checkout, *version)
	if err == nil && *check {
		err = r.check()
	}
	switch {
	case err != nil:
	case *list:
		err = r.list(os.Stdout)
	default:
		err = r.write(flag.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "modproxy:", err)
		os.Exit(1)
	}
}

// A release is the modules of a checkout, and the version that all of them have.
type release struct {
	checkout string
	files    []string // slash-separated, relative to the checkout
	version  string
	modules  []published // the root module first
}

type published struct {
	folder string // slash-separated, relative to the checkout
	mod    *modfile.File
	text   []byte // of go.mod
}

// open reads the modules of a checkout. An empty version is the one that the nested modules require.
func open(checkout, version string) (*release, error) {
	files, err := list(checkout)
	if err != nil {
		return nil, err
	}
	r := &release{checkout: checkout, files: files, version: version}
	folders := []string{"."}
	for _, name := range files {
		folder := path.Dir(name)
		if path.Base(name) == "go.work" && folder != "." && slices.Contains(files, folder+"/go.mod") {
			folders = append(folders, folder)
		}
	}
	for _, folder := range folders {
		m, err := r.module(folder)
		if err != nil {
			return nil, err
		}
		r.modules = append(r.modules, m)
		for _, require := range m.mod.Require {
			if r.version == "" && require.Mod.Path == r.root() {
				r.version = require.Mod.Version
			}
		}
	}
	if r.version == "" {
		return nil, errors.New("no nested module requires the root module: give -version")
	}
	for _, m := range r.modules {
		if err := module.Check(m.path(), r.version); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *release) root() string  { return r.modules[0].path() }
func (m published) path() string { return m.mod.Module.Mod.Path }

// list returns the regular files of a checkout that git does not ignore, committed or not.
func list(checkout string) ([]string, error) {
	command := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	command.Dir = checkout
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files in %s: %w", checkout, err)
	}
	var files []string
	for name := range strings.SplitSeq(strings.TrimSuffix(string(output), "\x00"), "\x00") {
		// A deleted file stays in git's index until the deletion is committed.
		if info, err := os.Lstat(filepath.Join(checkout, name)); err == nil && info.Mode().IsRegular() {
			files = append(files, name)
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil // a file in conflict is listed several times
}

func (r *release) module(folder string) (published, error) {
	name := path.Join(folder, "go.mod")
	text, err := os.ReadFile(filepath.Join(r.checkout, name))
	if err != nil {
		return published{}, err
	}
	mod, err := modfile.Parse(name, text, nil)
	if err != nil {
		return published{}, err
	}
	if mod.Module == nil {
		return published{}, fmt.Errorf("%s names no module", name)
	}
	return published{folder, mod, text}, nil
}

// check returns what keeps others from installing the modules.
func (r *release) check() error {
	var mistakes []error
	for _, nested := range r.modules[1:] {
		mistakes = append(mistakes, r.checkMod(nested), r.checkSum(nested), r.checkWork(nested))
	}
	return errors.Join(mistakes...)
}

func (r *release) checkMod(nested published) error {
	var mistakes []error
	mistake := func(format string, args ...any) {
		mistakes = append(mistakes, fmt.Errorf(nested.folder+"/go.mod "+format, args...))
	}
	if want := r.root() + "/" + nested.folder; nested.path() != want {
		mistake("names the module %s: its folder wants %s", nested.path(), want)
	}
	if len(nested.mod.Replace) > 0 {
		mistake("has a replace: move it to go.work, because go install refuses it")
	}
	required := false
	for _, require := range nested.mod.Require {
		required = required || require.Mod.Path == r.root()
		if r.own(require.Mod.Path) && require.Mod.Version != r.version {
			mistake("requires %s %s: the release is %s", require.Mod.Path, require.Mod.Version, r.version)
		}
	}
	if !required {
		mistake("does not require %s", r.root())
	}
	return errors.Join(mistakes...)
}

// checkSum refuses hashes of modules of the repository: they change with every commit, until the version is tagged.
func (r *release) checkSum(nested published) error {
	name := nested.folder + "/go.sum"
	text, err := os.ReadFile(filepath.Join(r.checkout, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if module, _, _ := strings.Cut(line, " "); r.own(module) {
			return fmt.Errorf("%s has a line of %s: remove it", name, module)
		}
	}
	return nil
}

// checkWork refuses a go.work that does not have the nested module built with the root module of the same checkout.
func (r *release) checkWork(nested published) error {
	name := nested.folder + "/go.work"
	text, err := os.ReadFile(filepath.Join(r.checkout, name))
	if err != nil {
		return err
	}
	work, err := modfile.ParseWork(name, text, nil)
	if err != nil {
		return err
	}
	for _, replace := range work.Replace {
		if old := replace.Old; old.Path == r.root() && (old.Version == "" || old.Version == r.version) &&
			path.Join(nested.folder, replace.New.Path) == "." {
			return nil
		}
	}
	return fmt.Errorf("%s does not replace %s %s with the root of the repository", name, r.root(), r.version)
}

// own reports whether a module belongs to the repository.
func (r *release) own(module string) bool {
	return module == r.root() || strings.HasPrefix(module, r.root()+"/")
}

func (r *release) list(w io.Writer) error {
	for _, m := range r.modules {
		if _, err := fmt.Fprintln(w, m.folder, m.path(), r.version); err != nil {
			return err
		}
	}
	return nil
}

// write writes the tree of a module proxy (https://go.dev/ref/mod#goproxy-protocol).
func (r *release) write(directory string) error {
	for _, m := range r.modules {
		escaped, err := module.EscapePath(m.path())
		if err != nil {
			return err
		}
		versions := filepath.Join(directory, filepath.FromSlash(escaped), "@v")
		if err := os.MkdirAll(versions, 0o777); err != nil {
			return err
		}
		info, err := json.Marshal(struct{ Version string }{r.version})
		if err != nil {
			return err
		}
		var archive bytes.Buffer
		at := module.Version{Path: m.path(), Version: r.version}
		if err := zip.Create(&archive, at, r.contents(m)); err != nil {
			return err
		}
		for name, content := range map[string][]byte{
			"list":              []byte(r.version + "\n"),
			r.version + ".info": info,
			r.version + ".mod":  m.text,
			r.version + ".zip":  archive.Bytes(),
		} {
			if err := os.WriteFile(filepath.Join(versions, name), content, 0o666); err != nil {
				return err
			}
		}
	}
	return nil
}

// contents returns the files of a module. zip.Create leaves out modules that are inside it. As the go command does,
// it gives a nested module without a license that of the repository.
func (r *release) contents(m published) []zip.File {
	prefix := m.folder + "/"
	if m.folder == "." {
		prefix = ""
	}
	var files []zip.File
	license := false
	for _, name := range r.files {
		if inside, ok := strings.CutPrefix(name, prefix); ok {
			files = append(files, file{inside, filepath.Join(r.checkout, name)})
			license = license || inside == "LICENSE"
		}
	}
	if !license && slices.Contains(r.files, "LICENSE") {
		files = append(files, file{"LICENSE", filepath.Join(r.checkout, "LICENSE")})
	}
	return files
}

// A file is one file of a module. It implements [zip.File].
type file struct{ path, source string }

func (f file) Path() string                 { return f.path }
func (f file) Lstat() (os.FileInfo, error)  { return os.Lstat(f.source) }
func (f file) Open() (io.ReadCloser, error) { return os.Open(f.source) }
