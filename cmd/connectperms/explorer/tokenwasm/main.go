//go:build js && wasm

// The command tokenwasm decodes and verifies tokens for the explorer's page, as WebAssembly. The page loads
// it when somebody pastes a token. It sets the global function connectpermsToken(request), which returns the
// answer: both are JSON texts.
package main

import (
	"syscall/js"
	"time"

	"github.com/connectperms/permissions/cmd/connectperms/explorer/tokens"
)

func main() {
	js.Global().Set("connectpermsToken", js.FuncOf(func(_ js.Value, args []js.Value) any {
		return string(tokens.Call(args[0].String(), time.Now))
	}))
	select {} // the function is called for as long as the page is open
}
