package rabbitmq

import (
	"strconv"
	"time"

	common "github.com/dapr/components-contrib/common/component/rabbitmq"
	"github.com/dapr/components-contrib/metadata"
	amqp "github.com/rabbitmq/amqp091-go"
)

// message reads a request's metadata as upstream's component does: what makes no sense there is passed over.
func (s settings) message(body []byte, given map[string]string) amqp.Publishing {
	message := amqp.Publishing{ContentType: "text/plain", Body: body, DeliveryMode: s.DeliveryMode}
	if lifetime, limited, err := metadata.TryGetTTL(given); err == nil && limited {
		message.Expiration = milliseconds(lifetime)
	} else if s.lifetime != nil {
		message.Expiration = milliseconds(*s.lifetime)
	}
	if priority, wanted, err := metadata.TryGetPriority(given); err == nil && wanted {
		message.Priority = priority
	}
	common.ApplyMetadataToPublishing(given, &message)
	return message
}

func milliseconds(duration time.Duration) string {
	return strconv.FormatInt(duration.Milliseconds(), 10)
}
