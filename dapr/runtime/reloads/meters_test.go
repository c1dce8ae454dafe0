package reloads

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"go.opencensus.io/metric/metricproducer"
	"go.opencensus.io/stats/view"
)

func begin(t *testing.T) view.Meter {
	meter := view.NewMeter()
	meter.Start()
	t.Cleanup(meter.Stop)
	// it answers once it is there
	meter.Find("")
	return meter
}

func TestAReloadTakesTheMetersOfTheRunBefore(t *testing.T) {
	manager := metricproducer.GlobalManager()
	begin(t)
	forgetMeters()
	standing := manager.GetAll()
	for range 2 {
		begin(t)
		if len(manager.GetAll()) != len(standing)+1 {
			t.Fatalf("%d meters with a run, %d without", len(manager.GetAll()), len(standing))
		}
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for until := time.Now().Add(10 * time.Second); len(manager.GetAll()) != len(standing); time.Sleep(time.Millisecond) {
			if time.Now().After(until) {
				t.Fatal("the meter of a run that has ended is still there")
			}
		}
	}
	for _, producer := range standing {
		if !slices.Contains(manager.GetAll(), producer) {
			t.Fatal("what belongs to the process was taken away")
		}
	}
}
