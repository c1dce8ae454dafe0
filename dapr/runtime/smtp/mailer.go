// Package smtp sends mail, under the type and fields of upstream's binding, so that an installed daprd reads the same YAML.
//
// Upstream's writes each request's fields into one struct that all requests share: two at once have mailed the wrong
// customer, and what one request leaves out is taken from another. It opens a connection for each mail, cannot be
// cancelled, and knows neither a text part nor headers of the sender's.
package smtp

import (
	"context"
	"fmt"
	"reflect"

	"github.com/dapr/components-contrib/bindings"
	"github.com/dapr/components-contrib/metadata"
	"github.com/dapr/kit/logger"
)

// Mailer is the binding `smtp`; any number of requests may use it at once.
type Mailer struct {
	log      logger.Logger
	settings settings
	pool     *pool
}

// New returns a mailer that has yet to be told where to send.
func New(log logger.Logger) bindings.OutputBinding { return &Mailer{log: log} }

// Init reads where to send and what mails say by default; it opens no connection.
func (m *Mailer) Init(_ context.Context, meta bindings.Metadata) error {
	told, err := read(meta.Properties)
	if err != nil {
		return err
	}
	if told.User == "" {
		m.log.Warn("smtp binding: user and password are empty")
	}
	if told.SkipTLSVerify {
		m.log.Warn("smtp binding: skipTLSVerify is on, so whoever answers is trusted")
	}
	m.settings = told
	m.pool = newPool(func(ctx context.Context) (*conversation, error) { return dial(ctx, told) })
	return nil
}

// Operations names the one thing that can be asked.
func (m *Mailer) Operations() []bindings.OperationKind {
	return []bindings.OperationKind{bindings.CreateOperation}
}

// Invoke sends one mail. What the server says is kept in the words that upstream's binding uses for it, so that a
// caller can tell a refusal, `could not send email 1: 550 ...`, from trouble on the way.
func (m *Mailer) Invoke(ctx context.Context, request *bindings.InvokeRequest) (*bindings.InvokeResponse, error) {
	asked, err := m.settings.with(request.Metadata)
	if err != nil {
		return nil, err
	}
	mail, err := compose(asked, request.Data)
	if err != nil {
		return nil, failure(fmt.Errorf("gomail: could not send email 1: %w", err))
	}
	hand := func() error { return m.pool.send(ctx, mail) }
	if err := taken.once(ctx, asked.messageID, mail.to, asked.maybeTaken, hand); err != nil {
		return nil, failure(err)
	}
	return nil, nil
}

func failure(err error) error {
	return fmt.Errorf("error from smtp binding, sending email failed: %w", err)
}

// Close ends the connections that wait for a next mail; those that carry one end after it.
func (m *Mailer) Close() error {
	if m.pool != nil {
		m.pool.close()
	}
	return nil
}

// GetComponentMetadata lists the fields for daprd's own documentation.
func (m *Mailer) GetComponentMetadata() (info metadata.MetadataMap) {
	_ = metadata.GetMetadataInfoFromStructType(reflect.TypeOf(settings{}), &info, metadata.BindingType)
	return info
}
