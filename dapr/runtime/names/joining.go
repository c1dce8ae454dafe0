package names

import (
	"context"
	"errors"
	"time"

	"github.com/dapr/components-contrib/nameresolution"
	"github.com/dapr/components-contrib/nameresolution/sqlite"
	"github.com/dapr/kit/logger"
	driver "modernc.org/sqlite"
)

// Sidecars that start together wait for one another here, and on a busy machine longer than a lock is waited for.
const (
	patience = time.Minute
	pause    = 100 * time.Millisecond
)

// join returns a resolver that has registered this sidecar, trying for as long as the file is merely taken.
//
// What fails here is logged by daprd and no more: it goes on without a name, says that it is well, and nobody finds it.
// So it ends instead, and whoever keeps it starts it again.
func join(ctx context.Context, meta nameresolution.Metadata, log logger.Logger) (nameresolution.Resolver, error) {
	for until := time.Now().Add(patience); ; {
		resolver := sqlite.NewResolver(log)
		err := resolver.Init(ctx, meta)
		if err == nil {
			return resolver, nil
		}
		// it complains of what it never registered; its connections are what matters
		_ = resolver.Close()
		if !passing(err) {
			return nil, err
		}
		if time.Now().After(until) {
			log.Fatalf("this sidecar cannot register its name: %v", err)
		}
		log.Warnf("registering this sidecar's name again: %v", err)
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// passing tells whether it was the file that failed, not what this sidecar was told of it.
func passing(err error) bool {
	var file *driver.Error
	return errors.As(err, &file) || errors.Is(err, context.DeadlineExceeded)
}
