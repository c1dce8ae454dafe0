// Command daprd is Dapr's sidecar with the components this project needs.
package main

import (
	_ "github.com/dapr/dapr/cmd/daprd/components" // those that upstream calls stable

	"sidecart/runtime/reloads"
	"sidecart/runtime/sidecar"
)

func main() {
	reloads.Outlive()
	sidecar.Run()
}
