//go:build js && wasm

// The command wasm is the engine of the explorer's page, as WebAssembly. It sets the global function
// connectperms(name, request), which returns the answer: both are JSON texts.
package main

import (
	"encoding/json"
	"syscall/js"

	"github.com/connectperms/permissions/cmd/connectperms/explorer/engine"
)

// version is the version of the page. The linker sets it.
var version string

func main() {
	var e engine.Engine
	js.Global().Set("connectperms", js.FuncOf(func(_ js.Value, args []js.Value) any {
		name, request := args[0].String(), args[1].String()
		if name == "start" {
			return start()
		}
		return string(e.Call(name, request))
	}))
	select {} // the function is called for as long as the page is open
}

// start returns what the page starts with: nothing.
func start() string {
	quoted, err := json.Marshal(version)
	if err != nil {
		return ""
	}
	return `{"form":"static","version":` + string(quoted) + `,"inputs":[]}`
}
