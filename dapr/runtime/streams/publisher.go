package streams

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	component "github.com/dapr/components-contrib/common/component/redis"
	"github.com/dapr/components-contrib/pubsub"
	"github.com/redis/go-redis/v9"
)

const (
	// as the field redisMaxRetries has it
	never = -1
	usual = 3
)

var errNotTaken = errors.New("there is no answer")

// publisher has connections of its own, so that nothing a reader does can disturb it.
type publisher struct {
	client   redis.UniversalClient
	settings component.Settings
}

// newPublisher returns none where tokens are for upstream's client to renew.
func newPublisher(properties map[string]string) (*publisher, error) {
	p := &publisher{}
	if err := p.settings.Decode(properties); err != nil || p.settings.UseEntraID {
		return nil, err
	}
	said, err := options(&p.settings)
	if err != nil {
		return nil, err
	}
	p.client = redis.NewUniversalClient(said)
	return p, nil
}

// BulkPublish sends all entries, in order, and then hears what becomes of each.
func (p *publisher) BulkPublish(ctx context.Context, request *pubsub.BulkPublishRequest) (pubsub.BulkPublishResponse, error) {
	answer := pubsub.BulkPublishResponse{FailedEntries: p.publish(ctx, request.Topic, request.Entries, p.retries())}
	if len(answer.FailedEntries) == 0 {
		return answer, nil
	}
	return answer, answer.FailedEntries[0].Error
}

// publish returns what failed. Those whose answer a cut connection took with it are sent again; the first of them alone,
// because it may be what the server cuts connections for, and must not hold up for good what comes behind it.
func (p *publisher) publish(
	ctx context.Context, topic string, entries []pubsub.BulkMessageEntry, retries int,
) (failed []pubsub.BulkPublishResponseFailedEntry) {
	var unheard []pubsub.BulkMessageEntry
	for i, err := range p.send(ctx, topic, entries) {
		switch {
		case err == nil:
		case retries > 0 && cut(err):
			unheard = append(unheard, entries[i])
		default:
			failed = append(failed, pubsub.BulkPublishResponseFailedEntry{EntryId: entries[i].EntryId, Error: told(err)})
		}
	}
	if len(unheard) == 0 {
		return failed
	}
	failed = append(failed, p.publish(ctx, topic, unheard[:1], 0)...)
	return append(failed, p.publish(ctx, topic, unheard[1:], retries-1)...)
}

// send returns what the server says to each entry, or why it says nothing.
func (p *publisher) send(ctx context.Context, topic string, entries []pubsub.BulkMessageEntry) []error {
	outcomes, answers := make([]error, len(entries)), make([]*redis.StringCmd, len(entries))
	pipeline, oldest := p.client.Pipeline(), p.settings.GetMinID(time.Now())
	for i, entry := range entries {
		var values []any
		if values, outcomes[i] = written(entry); outcomes[i] == nil {
			answers[i] = pipeline.XAdd(ctx, &redis.XAddArgs{
				Stream: topic, MaxLen: p.settings.MaxLenApprox, MinID: oldest, Approx: true, Values: values,
			})
		}
	}
	_, trouble := pipeline.Exec(ctx)
	for i, answer := range answers {
		// An entry that has its id is in the stream; the client calls it failed all the same when a later answer is lost.
		// And of one that it had no connection for, it says nothing.
		if answer != nil && answer.Val() == "" {
			if outcomes[i] = answer.Err(); outcomes[i] == nil {
				outcomes[i] = errors.Join(errNotTaken, trouble)
			}
		}
	}
	return outcomes
}

// written returns an entry as upstream's Publish writes it.
func written(entry pubsub.BulkMessageEntry) ([]any, error) {
	values := []any{"data", entry.Event}
	if entry.Metadata == nil {
		return values, nil
	}
	metadata, err := json.Marshal(entry.Metadata)
	return append(values, "metadata", metadata), err
}

// cut says of an error that a connection was there, and ended; one that is not there, or is mute, will be so again.
func cut(err error) bool {
	var (
		operation *net.OpError
		trouble   net.Error
	)
	switch {
	case errors.As(err, &trouble) && trouble.Timeout():
		return false
	case errors.As(err, &operation):
		return operation.Op != "dial"
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func told(err error) error {
	return pubsub.NewRetriableError(fmt.Errorf("redis streams: error from publish: %w", err))
}

func (p *publisher) retries() int {
	switch given := p.settings.RedisMaxRetries; given {
	case never:
		return 0
	case 0:
		return usual
	default:
		return given
	}
}
