package rabbitmq

import (
	"net/url"
	"time"

	"github.com/dapr/components-contrib/metadata"
	"github.com/dapr/components-contrib/pubsub"
	kitmetadata "github.com/dapr/kit/metadata"
)

const (
	heartbeat = 10 * time.Second
	fanout    = "fanout"
	plain     = "amqp"
	encrypted = "amqps"
)

// settings is what upstream's component reads as well, as far as publishing is concerned: the same file serves both.
type settings struct {
	ConnectionString string        `mapstructure:"connectionString"`
	Host             string        `mapstructure:"host"`
	Protocol         string        `mapstructure:"protocol"`
	Hostname         string        `mapstructure:"hostname"`
	Username         string        `mapstructure:"username"`
	Password         string        `mapstructure:"password"`
	Durable          bool          `mapstructure:"durable"`
	DeleteWhenUnused bool          `mapstructure:"deletedWhenUnused"`
	DeliveryMode     uint8         `mapstructure:"deliveryMode"`
	ExchangeKind     string        `mapstructure:"exchangeKind"`
	ClientName       string        `mapstructure:"clientName"`
	HeartBeat        time.Duration `mapstructure:"heartBeat"`
	PublisherConfirm bool          `mapstructure:"publisherConfirm"`
	SaslExternal     bool          `mapstructure:"saslExternal"`

	tls      pubsub.TLSProperties
	lifetime *time.Duration
}

func read(given pubsub.Metadata) (settings, error) {
	found := settings{Hostname: "localhost", Durable: true, DeleteWhenUnused: true, ExchangeKind: fanout, HeartBeat: heartbeat}
	if err := kitmetadata.DecodeMetadata(given.Properties, &found); err != nil {
		return found, err
	}
	if found.ConnectionString == "" {
		found.ConnectionString = found.Host
	}
	lifetime, limited, err := metadata.TryGetTTL(given.Properties)
	if limited {
		found.lifetime = &lifetime
	}
	if err != nil {
		return found, err
	}
	found.tls, err = pubsub.TLS(given.Properties)
	return found, err
}

func (s settings) uri() string {
	if s.ConnectionString != "" {
		return s.ConnectionString
	}
	address := url.URL{Scheme: plain, Host: s.Hostname}
	if s.Protocol != "" {
		address.Scheme = s.Protocol
	}
	if s.Username != "" {
		address.User = url.UserPassword(s.Username, s.Password)
	}
	return address.String()
}
