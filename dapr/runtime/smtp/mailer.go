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
	"sync"

	"github.com/dapr/components-contrib/bindings"
	"github.com/dapr/components-contrib/metadata"
	"github.com/dapr/kit/logger"
)

// Mailer is the binding `smtp`; any number of requests may use it at once.
type Mailer struct {
	log      logger.Logger
	settings settings
	pool     *pool
	mutex    sync.Mutex
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

// Operations names what can be asked: a mail, or a list of them.
func (m *Mailer) Operations() []bindings.OperationKind {
	return []bindings.OperationKind{bindings.CreateOperation, CreateMany}
}

// Invoke sends one mail, or a list of them. What the server says is kept in the words that upstream's binding uses for
// it, so that a caller can tell a refusal, `could not send email 1: 550 ...`, from trouble on the way.
func (m *Mailer) Invoke(ctx context.Context, request *bindings.InvokeRequest) (*bindings.InvokeResponse, error) {
	maybe := m.asked(request)
	if request.Operation == CreateMany {
		return m.sendMany(ctx, request.Data, maybe)
	}
	asked, mail, err := m.write(request.Data, request.Metadata)
	if err != nil {
		return nil, err
	}
	hand := func() (became error) {
		m.pool.send(ctx, &parcel{mail, func(err error) { became = err }}, nothing)
		return became
	}
	if err := taken.once(ctx, asked.messageID, mail.to, maybe, hand); err != nil {
		return nil, failure(err)
	}
	return nil, nil
}

// asked tells whether what a request asks for may have been done, and notes it in the request: a retry policy hands the
// same one over once more.
func (m *Mailer) asked(request *bindings.InvokeRequest) bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	maybe := request.Metadata[maybeTaken] == "true"
	if request.Metadata == nil {
		request.Metadata = map[string]string{}
	}
	request.Metadata[maybeTaken] = "true"
	return maybe
}

// write returns what a request asks for, and its mail as it goes out.
func (m *Mailer) write(data []byte, said map[string]string) (envelope, letter, error) {
	asked, err := m.settings.with(said)
	if err != nil {
		return asked, letter{}, err
	}
	mail, err := compose(asked, data)
	if err != nil {
		return asked, mail, failure(sending(err))
	}
	return asked, mail, nil
}

func nothing() *parcel { return nil }

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
