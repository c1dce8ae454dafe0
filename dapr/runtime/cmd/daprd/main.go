// Command daprd is Dapr's sidecar with the components this project needs.
package main

import (
	"github.com/dapr/dapr/cmd/daprd/app"

	"sidecart/runtime/reloads"
)

func main() {
	reloads.Outlive()
	app.Run()
}
