package rabbitmq

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/dapr/components-contrib/pubsub"
	amqp "github.com/rabbitmq/amqp091-go"
)

// A broker that is there answers at once; a sidecar waits 5 s for a component at its start.
const answers = 3 * time.Second

var (
	errLeft     = errors.New("this broker has been left")
	errNotTaken = errors.New("the broker did not confirm that it has the message")
)

// publisher has a connection of its own, so that nothing a reader does can disturb it.
type publisher struct {
	settings settings

	lock       sync.Mutex
	connection *amqp.Connection
	channel    *amqp.Channel
	declared   map[string]bool
	left       bool
}

// publish sends all entries and then waits for the broker's word on each; those it has not given its word on failed.
func (p *publisher) publish(ctx context.Context, request *pubsub.BulkPublishRequest) (pubsub.BulkPublishResponse, error) {
	channel, err := p.ready(request.Topic)
	if err != nil {
		return pubsub.NewBulkPublishResponse(request.Entries, err), err
	}
	confirms := make([]*amqp.DeferredConfirmation, len(request.Entries))
	for i, entry := range request.Entries {
		message := p.settings.message(entry.Event, entry.Metadata)
		if confirms[i], err = channel.PublishWithDeferredConfirm(request.Topic, entry.Metadata["routingKey"], false, false, message); err != nil {
			break
		}
	}
	var answer pubsub.BulkPublishResponse
	for i, entry := range request.Entries {
		if err := taken(ctx, confirms[i], err); err != nil {
			failed := pubsub.BulkPublishResponseFailedEntry{EntryId: entry.EntryId, Error: err}
			answer.FailedEntries = append(answer.FailedEntries, failed)
		}
	}
	if len(answer.FailedEntries) == 0 {
		return answer, nil
	}
	p.drop(channel)
	return answer, answer.FailedEntries[0].Error
}

// taken waits for the broker's word; without a confirmation to wait for, all depends on whether it could be sent.
func taken(ctx context.Context, confirm *amqp.DeferredConfirmation, sent error) error {
	if confirm == nil {
		return sent
	}
	// A connection that ends answers no as well: whether the broker has the message, nobody knows.
	if taken, err := confirm.WaitContext(ctx); err != nil || !taken {
		return errors.Join(errNotTaken, err)
	}
	return nil
}

// ready returns an open channel over which the topic's exchange was declared.
func (p *publisher) ready(topic string) (*amqp.Channel, error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.left {
		return nil, errLeft
	}
	if p.channel == nil || p.channel.IsClosed() {
		if err := p.connect(); err != nil {
			return nil, err
		}
	}
	if !p.declared[topic] {
		s := p.settings
		if err := p.channel.ExchangeDeclare(topic, s.ExchangeKind, s.Durable, s.DeleteWhenUnused, false, false, nil); err != nil {
			return nil, err
		}
		p.declared[topic] = true
	}
	return p.channel, nil
}

// connect is called with the lock held.
func (p *publisher) connect() error {
	p.end()
	config := amqp.Config{Heartbeat: p.settings.HeartBeat, Locale: "en_US", Dial: amqp.DefaultDial(answers)}
	if p.settings.ClientName != "" {
		config.Properties = amqp.Table{"connection_name": p.settings.ClientName}
	}
	address := p.settings.uri()
	if strings.HasPrefix(address, encrypted) {
		var err error
		if config.TLSClientConfig, err = pubsub.ConvertTLSPropertiesToTLSConfig(p.settings.tls); err != nil {
			return err
		}
		config.TLSClientConfig.MinVersion = tls.VersionTLS12
		if p.settings.SaslExternal {
			config.SASL = []amqp.Authentication{&amqp.ExternalAuth{}}
		}
	}
	connection, err := amqp.DialConfig(address, config)
	if err != nil {
		return err
	}
	channel, err := connection.Channel()
	if err == nil && p.settings.PublisherConfirm {
		err = channel.Confirm(false)
	}
	if err != nil {
		return errors.Join(err, connection.CloseDeadline(time.Now().Add(answers)))
	}
	p.connection, p.channel, p.declared = connection, channel, map[string]bool{}
	return nil
}

// drop lets go of a channel on which something went wrong, unless somebody has done so.
func (p *publisher) drop(channel *amqp.Channel) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.channel == channel {
		p.end()
	}
}

// end is called with the lock held. What waits for a confirmation hears that there is none.
func (p *publisher) end() {
	if p.connection != nil {
		// whatever it says, it is over: one that is mute is left to its deadline
		go func(connection *amqp.Connection) { _ = connection.CloseDeadline(time.Now().Add(answers)) }(p.connection)
	}
	p.connection, p.channel = nil, nil
}

func (p *publisher) close() {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.left = true
	p.end()
}
