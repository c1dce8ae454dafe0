package sidecar

import (
	"context"
	"testing"
	"time"
)

func contexts() (stop, reload context.Context, stopped, reloaded context.CancelFunc) {
	stop, stopped = context.WithCancel(context.Background())
	reload, reloaded = context.WithCancel(stop)
	return stop, reload, stopped, reloaded
}

func ended(t *testing.T, ctx context.Context) {
	t.Helper()
	select {
	case <-ctx.Done():
	case <-time.After(time.Minute):
		t.Fatal("the runtime is not told")
	}
}

func TestAReloadDoesNotLinger(t *testing.T) {
	told := 15 * time.Second
	stop, reload, stopped, reloaded := contexts()
	defer stopped()
	ctx, pause := lingering(reload, stop, &told)
	if ctx.Err() != nil || *pause != told {
		t.Fatalf("%v, %s before anything was asked", ctx.Err(), *pause)
	}
	reloaded()
	ended(t, ctx)
	if *pause != 0 || told != 15*time.Second {
		t.Errorf("a reload waits %s, and the next stop %s", *pause, told)
	}
}

func TestAStopLingersAsLongAsItIsTold(t *testing.T) {
	told := 15 * time.Second
	stop, reload, stopped, reloaded := contexts()
	defer reloaded()
	ctx, pause := lingering(reload, stop, &told)
	stopped()
	ended(t, ctx)
	if *pause != told {
		t.Errorf("a stop waits %s", *pause)
	}
}

func TestWithoutTheOptionNothingLingers(t *testing.T) {
	stop, reload, stopped, reloaded := contexts()
	defer stopped()
	ctx, pause := lingering(reload, stop, nil)
	reloaded()
	ended(t, ctx)
	if pause != nil {
		t.Errorf("waits %s", *pause)
	}
}
