package reloads

import (
	"os"
	"os/signal"
	"slices"
	"syscall"

	"go.opencensus.io/metric/metricproducer"
	"go.opencensus.io/stats/view"
)

// forgetMeters takes away the meters of the run that ends, whenever daprd is told to start anew: each run has its own, and
// every exporter finds all there are, so that each figure would be there twice and `/metrics` answer 500 for good. What
// there is before the first run belongs to the process and stays.
func forgetMeters() {
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
