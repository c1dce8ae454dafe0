// Package streams is upstream's pubsub.redis, with its type and fields, that publishes a batch in one pipeline.
//
// Upstream's has no bulk of its own: the runtime starts a goroutine for each entry, and each waits for an answer of its
// own. Nobody knows in which order they arrive.
package streams

import (
	"context"
	"errors"

	"github.com/dapr/components-contrib/health"
	"github.com/dapr/components-contrib/pubsub"
	"github.com/dapr/components-contrib/pubsub/redis"
	runtimepubsub "github.com/dapr/dapr/pkg/runtime/pubsub"
	"github.com/dapr/kit/logger"
)

// upstream is what pubsub.redis can do without us.
type upstream interface {
	pubsub.PubSub
	health.Pinger
}

type broker struct {
	upstream
	pubsub.BulkPublisher
	publisher *publisher
}

// New returns a broker that is yet to be initialised.
func New(log logger.Logger) pubsub.PubSub {
	inner := redis.NewRedisStreams(log).(upstream)
	return &broker{upstream: inner, BulkPublisher: runtimepubsub.NewDefaultBulkPublisher(inner)}
}

func (b *broker) Init(ctx context.Context, given pubsub.Metadata) error {
	if err := b.upstream.Init(ctx, given); err != nil {
		return err
	}
	publisher, err := newPublisher(given.Properties)
	if err != nil {
		// the runtime closes only what it has taken up
		return errors.Join(err, b.upstream.Close())
	}
	if publisher != nil {
		b.publisher, b.BulkPublisher = publisher, publisher
	}
	return nil
}

func (b *broker) Features() []pubsub.Feature {
	return append(b.upstream.Features(), pubsub.FeatureBulkPublish)
}

// Close lets go of our own connections first: upstream's waits until every message is answered for.
func (b *broker) Close() error {
	if b.publisher == nil {
		return b.upstream.Close()
	}
	return errors.Join(b.publisher.client.Close(), b.upstream.Close())
}
