package sidecar

import (
	"context"
	"time"
)

// lingering returns a context that ends with a reload or the stop, and how long the runtime then goes on serving: what
// it is told where the sidecar stops, not a moment where it starts anew. Nil stays nil.
//
// The runtime looks at the duration when the context has ended, so that it may be decided until then.
func lingering(reload, stop context.Context, told *time.Duration) (context.Context, *time.Duration) {
	if told == nil {
		return reload, nil
	}
	pause := *told
	ctx, end := context.WithCancel(context.WithoutCancel(reload))
	context.AfterFunc(reload, func() {
		if stop.Err() == nil {
			pause = 0
		}
		end()
	})
	return ctx, &pause
}
