package permissions_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	modulePath = "github.com/connectperms/permissions"
	golangJWT  = "github.com/golang-jwt/jwt/v5"
)

// mayImport has, for each package of the root module, what its code may import beyond the standard
// library. Tests may import more. ARCHITECTURE.md shows the same table.
var mayImport = map[string][]string{
	".":                   {"internal/strictjson", "internal/text"},
	"internal/strictjson": {},
	"internal/text":       {},
	"internal/reference":  {},
	"usertoken":           {".", "internal/strictjson", "internal/text", golangJWT},
	"httpauth":            {".", "usertoken", "internal/text"},
	"forwardauth":         {".", "usertoken", "httpauth", "internal/text"},
	"analyze":             {".", "internal/strictjson", "internal/text"},
	"roles":               {".", "internal/text"},
	"permissionstest":     {".", "usertoken", "httpauth", golangJWT},
}

// allowedImports returns the import paths that a package may import, and whether the table has it.
func allowedImports(directory string) (paths []string, ok bool) {
	list, ok := mayImport[directory]
	for _, p := range list {
		switch {
		case p == ".":
			p = modulePath
		case !strings.Contains(p, "."):
			p = modulePath + "/" + p
		}
		paths = append(paths, p)
	}
	return paths, ok
}

// packagesOfRoot returns the directories of the root module that have Go code, except programs in
// examples.
func packagesOfRoot(t *testing.T) (directories []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !d.IsDir():
			directory := filepath.ToSlash(filepath.Dir(path))
			if strings.HasSuffix(path, ".go") && !slices.Contains(directories, directory) {
				directories = append(directories, directory)
			}
			return nil
		case path == "examples", path == "testdata", path != "." && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		}
		if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && path != "." {
			return filepath.SkipDir // a nested module
		}
		return nil
	}))
	return directories
}

func TestPackagesImportOnlyWhatArchitectureAllows(t *testing.T) {
	directories := packagesOfRoot(t)
	require.Contains(t, directories, ".")
	for _, directory := range directories {
		t.Run(directory, func(t *testing.T) {
			allowed, ok := allowedImports(directory)
			require.True(t, ok, "the table has no row for this package")
			files, err := filepath.Glob(filepath.Join(directory, "*.go"))
			require.NoError(t, err)
			for _, file := range files {
				if strings.HasSuffix(file, "_test.go") {
					continue
				}
				f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
				require.NoError(t, err)
				for _, spec := range f.Imports {
					path, err := strconv.Unquote(spec.Path.Value)
					require.NoError(t, err)
					if strings.Contains(strings.Split(path, "/")[0], ".") {
						require.Contains(t, allowed, path, "%s imports it", file)
					}
				}
			}
		})
	}
}

func TestArchitectureShowsTheTableOfImports(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	require.NoError(t, err)
	for directory, list := range mayImport {
		var row []string
		for _, p := range list {
			if p == golangJWT {
				p = "golang-jwt"
			}
			row = append(row, "`"+p+"`")
		}
		cell := strings.Join(row, ", ")
		if cell == "" {
			cell = "-"
		}
		found := false
		for line := range strings.Lines(string(text)) {
			found = found || strings.HasPrefix(line, "| `"+directory+"` |") && strings.HasSuffix(line, "| "+cell+" |\n")
		}
		require.True(t, found, "ARCHITECTURE.md has no row that begins with `%s` and ends with %s", directory, cell)
	}
}
