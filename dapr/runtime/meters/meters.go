// Package meters lets a sidecar tell its figures after it has taken up an edited policy or endpoint.
//
// For such a file daprd starts anew within its process, with a meter of its own each time, and leaves those before where
// every exporter finds them: each figure is then there twice, and `/metrics` answers 500 for good.
package meters

import (
	"os"
	"os/signal"
	"slices"
	"syscall"

	"go.opencensus.io/metric/metricproducer"
	"go.opencensus.io/stats/view"
)

// ForgetOnReload takes away the meters of the run that ends, whenever daprd is told to start anew. What there is before
// the first run belongs to the process and stays.
func ForgetOnReload() {
	// answered once the library's own meter, which begins by itself, is there
	view.Find("")
	manager := metricproducer.GlobalManager()
	ours := manager.GetAll()
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGHUP)
	go func() {
		for range told {
			for _, producer := range manager.GetAll() {
				if !slices.Contains(ours, producer) {
					manager.DeleteProducer(producer)
				}
			}
		}
	}()
}
