// Package rabbitmq takes the place of upstream's pubsub component of the same type and fields.
//
// Upstream's has one channel for everything. A reader that begins while something is published disturbs it: both hear "503
// unexpected command received", and all other readers with them. And where the connection ends before the broker's
// confirmation, it says that the message was taken. Here each reader is an instance of upstream's, with a connection of
// its own, and so is the publisher, which believes a confirmation only.
package rabbitmq

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/dapr/components-contrib/pubsub"
	upstream "github.com/dapr/components-contrib/pubsub/rabbitmq"
	"github.com/dapr/kit/logger"
)

const (
	// Upstream's Close waits for a lock that its own reader takes once more if it finds its channel closed before it
	// hears that its subscription has ended: it is given that long to hear so, and to acknowledge.
	heard = 200 * time.Millisecond
	// And should it wait for good, nobody waits with it.
	patience = 2 * time.Second
)

type broker struct {
	log       logger.Logger
	given     pubsub.Metadata
	publisher *publisher

	ctx     context.Context
	cancel  context.CancelFunc
	readers sync.WaitGroup
	// create makes an instance of upstream's; a test has others.
	create func(logger.Logger) pubsub.PubSub
}

// New returns a broker that is yet to be initialised.
func New(log logger.Logger) pubsub.PubSub {
	ctx, cancel := context.WithCancel(context.Background())
	return &broker{log: log, ctx: ctx, cancel: cancel, create: upstream.NewRabbitMQ}
}

func (b *broker) Init(_ context.Context, given pubsub.Metadata) error {
	found, err := read(given)
	if err != nil {
		return err
	}
	b.given, b.publisher = given, &publisher{settings: found}
	b.publisher.lock.Lock()
	defer b.publisher.lock.Unlock()
	return b.publisher.connect()
}

func (b *broker) Features() []pubsub.Feature {
	return []pubsub.Feature{pubsub.FeatureBulkPublish, pubsub.FeatureMessageTTL}
}

func (b *broker) Publish(ctx context.Context, request *pubsub.PublishRequest) error {
	entry := pubsub.BulkMessageEntry{EntryId: "0", Event: request.Data, Metadata: request.Metadata}
	_, err := b.BulkPublish(ctx, &pubsub.BulkPublishRequest{Topic: request.Topic, Entries: []pubsub.BulkMessageEntry{entry}})
	return err
}

func (b *broker) BulkPublish(ctx context.Context, request *pubsub.BulkPublishRequest) (pubsub.BulkPublishResponse, error) {
	return b.publisher.publish(ctx, request)
}

func (b *broker) Subscribe(ctx context.Context, request pubsub.SubscribeRequest, handler pubsub.Handler) error {
	reader := b.create(b.log)
	// an instance may write into what it is given
	own := b.given
	own.Properties = maps.Clone(b.given.Properties)
	if err := reader.Init(ctx, own); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(b.ctx, cancel)
	if err := reader.Subscribe(ctx, request, handler); err != nil {
		cancel()
		stop()
		return err
	}
	b.readers.Go(func() {
		<-ctx.Done()
		stop()
		time.Sleep(heard)
		if err := reader.Close(); err != nil {
			b.log.Infof("rabbitmq: a reader of %s closed with: %v", request.Topic, err)
		}
	})
	return nil
}

// Close ends every reader, and never fails: the runtime does not take up the next broker where this one complains.
func (b *broker) Close() error {
	b.cancel()
	if b.publisher != nil {
		b.publisher.close()
	}
	done := make(chan struct{})
	go func() { b.readers.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		b.log.Warn("rabbitmq: left before all its readers had ended")
	}
	return nil
}
