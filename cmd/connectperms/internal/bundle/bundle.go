// Package bundle builds the explorer's page from its sources: for the server on loopback, and as a folder
// of static files with the library as WebAssembly.
package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/evanw/esbuild/pkg/api"

	"github.com/connectperms/permissions/cmd/connectperms/explorer"
)

// Files are the files of a folder, by name.
type Files map[string][]byte

// Loopback builds the page that the server on loopback has. Module is the folder of the module. The npm
// packages of explorer/web must be installed.
func Loopback(module string) (Files, error) {
	return page(module, "loopback", explorer.ContentSecurityPolicy(false))
}

// Static builds the page for any host that serves static files. Version is shown on the page.
func Static(module, version string) (Files, error) {
	files, err := page(module, "static", explorer.ContentSecurityPolicy(true))
	if err != nil {
		return nil, err
	}
	if files["worker.js"], err = os.ReadFile(filepath.Join(module, "explorer", "worker", "worker.js")); err != nil {
		return nil, err
	}
	goroot, err := run(module, nil, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	runtime := filepath.Join(strings.TrimSpace(goroot), "lib", "wasm", "wasm_exec.js")
	if files["wasm_exec.js"], err = os.ReadFile(runtime); err != nil {
		return nil, err
	}
	for name, command := range map[string]string{
		"explorer.wasm": "./explorer/wasm",
		"token.wasm":    "./explorer/tokenwasm",
	} {
		if files[name], err = WebAssembly(module, command, version); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// page bundles the sources with a content security policy.
func page(module, form, policy string) (Files, error) {
	web := filepath.Join(module, "explorer", "web")
	if _, err := os.Stat(filepath.Join(web, "node_modules")); err != nil {
		return nil, fmt.Errorf("the npm packages are not installed; run npm ci --ignore-scripts in %s: %w", web, err)
	}
	absolute, err := filepath.Abs(web)
	if err != nil {
		return nil, err
	}
	result := api.Build(api.BuildOptions{
		AbsWorkingDir:       absolute,
		EntryPointsAdvanced: []api.EntryPoint{{InputPath: "src/main.tsx", OutputPath: "app"}},
		Outdir:              filepath.Join(absolute, "out"), // nothing is written there
		Bundle:              true,
		Format:              api.FormatESModule,
		Target:              api.ES2022,
		Platform:            api.PlatformBrowser,
		MinifyWhitespace:    true,
		MinifyIdentifiers:   true,
		MinifySyntax:        true,
		Charset:             api.CharsetUTF8,
		LegalComments:       api.LegalCommentsNone, // LICENSES.txt has them
		Define:              map[string]string{"process.env.NODE_ENV": `"production"`},
		Metafile:            true,
		LogLevel:            api.LogLevelSilent,
	})
	var problems []error
	for _, m := range slices.Concat(result.Errors, result.Warnings) {
		place := ""
		if m.Location != nil {
			place = fmt.Sprintf("%s:%d:%d: ", m.Location.File, m.Location.Line, m.Location.Column+1)
		}
		problems = append(problems, errors.New(place+m.Text))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	files := make(Files)
	for _, f := range result.OutputFiles {
		files[filepath.Base(f.Path)] = f.Contents
	}
	for _, name := range []string{"index.html", "icon.svg"} {
		if files[name], err = os.ReadFile(filepath.Join(web, name)); err != nil {
			return nil, err
		}
	}
	html := string(files["index.html"])
	for _, fill := range []struct{ mark, text string }{{"{{csp}}", policy}, {"{{form}}", form}} {
		if strings.Count(html, fill.mark) != 1 {
			return nil, fmt.Errorf("index.html must have %s once", fill.mark)
		}
		html = strings.Replace(html, fill.mark, fill.text, 1)
	}
	files["index.html"] = []byte(html)
	files["LICENSES.txt"], err = licenses(web, result.Metafile)
	return files, err
}

// licenses returns the licenses of the npm packages that are in a bundle.
func licenses(web, metafile string) ([]byte, error) {
	var meta struct {
		Outputs map[string]struct {
			Inputs map[string]struct{ BytesInOutput int }
		}
	}
	if err := json.Unmarshal([]byte(metafile), &meta); err != nil {
		return nil, err
	}
	var packages []string
	for _, output := range meta.Outputs {
		for input := range output.Inputs {
			_, rest, ok := strings.Cut(input, "node_modules/")
			if !ok {
				continue
			}
			parts := strings.SplitN(rest, "/", 3)
			name := parts[0]
			if strings.HasPrefix(name, "@") {
				name += "/" + parts[1]
			}
			packages = append(packages, name)
		}
	}
	slices.Sort(packages)
	var b bytes.Buffer
	b.WriteString("The page contains these packages, under these licenses.\n")
	for _, name := range slices.Compact(packages) {
		folder := filepath.Join(web, "node_modules", filepath.FromSlash(name))
		var about struct{ Version, License string }
		text, err := os.ReadFile(filepath.Join(folder, "package.json"))
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &about); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		license, err := os.ReadFile(filepath.Join(folder, "LICENSE"))
		if err != nil {
			return nil, fmt.Errorf("%s has no LICENSE: %w", name, err)
		}
		fmt.Fprintf(&b, "\n%s %s (%s)\n\n%s\n", name, about.Version, about.License, bytes.TrimSpace(license))
	}
	return b.Bytes(), nil
}

// WebAssembly compiles a command of the module. Nothing is inlined: that makes the compressed file smaller by a
// tenth, and the page is fast enough.
func WebAssembly(module, command, version string) ([]byte, error) {
	out, err := os.CreateTemp("", "*.wasm")
	if err != nil {
		return nil, err
	}
	defer os.Remove(out.Name())
	if err := out.Close(); err != nil {
		return nil, err
	}
	_, err = run(module, []string{"GOOS=js", "GOARCH=wasm"}, "go", "build", "-trimpath", "-buildvcs=false",
		"-gcflags=all=-l", "-ldflags=-s -w -buildid= -X main.version="+version, "-o", out.Name(), command)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(out.Name())
}

// run runs a command in a folder and returns what it prints.
func run(folder string, environment []string, name string, args ...string) (string, error) {
	var output, problems bytes.Buffer
	command := exec.Command(name, args...)
	command.Dir, command.Env = folder, append(os.Environ(), environment...)
	command.Stdout, command.Stderr = &output, &problems
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, args[0], err, problems.Bytes())
	}
	return output.String(), nil
}

// Brotli returns the length of data in brotli, at the highest level.
func Brotli(data []byte) (int, error) {
	var b bytes.Buffer
	const largestWindow = 24
	w := brotli.NewWriterOptions(&b, brotli.WriterOptions{Quality: brotli.BestCompression, LGWin: largestWindow})
	if _, err := w.Write(data); err != nil {
		return 0, err
	}
	err := w.Close()
	return b.Len(), err
}

// Write makes a folder hold exactly these files, and overwrites files with these names. It refuses a folder that has
// an entry with another name.
func (f Files) Write(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if _, ours := f[entry.Name()]; !ours {
			return fmt.Errorf("%s has a file that is not part of the page: %s; remove it, or take another folder",
				folder, entry.Name())
		}
	}
	for name, content := range f {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Differs returns the sorted names of the files that differ in a folder, are missing from it, or are not in f.
func (f Files) Differs(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if _, ours := f[entry.Name()]; !ours {
			names = append(names, entry.Name())
		}
	}
	for name, content := range f {
		got, err := os.ReadFile(filepath.Join(folder, name))
		if errors.Is(err, os.ErrNotExist) || err == nil && !bytes.Equal(got, content) {
			names = append(names, name)
		} else if err != nil {
			return nil, err
		}
	}
	slices.Sort(names)
	return names, nil
}
