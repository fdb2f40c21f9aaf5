// Command connectperms answers questions about Paragon User Tokens: what a token says, what it allows,
// and why a request was denied. The page docs/cli.md describes it.
package main

import (
	"os"

	"github.com/connectperms/permissions/cmd/connectperms/internal/cli"
)

func main() {
	os.Exit(cli.Main())
}
