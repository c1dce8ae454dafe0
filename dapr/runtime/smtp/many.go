package smtp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/textproto"
	"slices"
	"sync"
	"time"

	"github.com/dapr/components-contrib/bindings"
)

const (
	// CreateMany sends a list of mails, `[{"data": ..., "metadata": {...}}, ...]`, each as `create` would. It answers with
	// a list of what became of them, in order: "" was taken, NotBegun is to be asked for again, and anything else is what
	// `create` would have said.
	CreateMany bindings.OperationKind = "createMany"
	// NotBegun stands for a mail of which nothing was sent.
	NotBegun = "not begun"
)

// What servers say when it is not about the mail: they are closing, or do not like our login.
var aboutUs = []int{closing, 432, 454, 530, 534, 535, 538}

// list is the mails of one call.
type list struct {
	mailer *Mailer
	wishes []wish
	maybe  bool
	until  time.Time

	mutex   sync.Mutex
	begun   int
	results []string
	// Whether the server had a word for any mail, and what kept it from having one.
	judged  bool
	trouble error
}

type wish struct {
	Data     json.RawMessage   `json:"data"`
	Metadata map[string]string `json:"metadata"`
}

// sendMany fails as a whole only where nothing can have been taken: the server is away, or wants nothing from us.
func (m *Mailer) sendMany(ctx context.Context, data []byte, maybe bool) (*bindings.InvokeResponse, error) {
	all := &list{mailer: m, maybe: maybe}
	if err := json.Unmarshal(data, &all.wishes); err != nil {
		return nil, fmt.Errorf("smtp binding error: %s wants a list of requests: %w", CreateMany, err)
	}
	all.results = slices.Repeat([]string{NotBegun}, len(all.wishes))
	workers := sync.WaitGroup{}
	for range min(bulkAtOnce, len(all.wishes)) {
		workers.Go(func() { all.work(ctx) })
	}
	workers.Wait()
	if all.trouble != nil && !all.judged {
		return nil, all.trouble
	}
	told, err := json.Marshal(all.results)
	return &bindings.InvokeResponse{Data: told}, err
}

// work hands over mails, one behind another, as long as there are any.
func (l *list) work(ctx context.Context) {
	pool := l.mailer.pool
	select {
	case pool.bulk <- struct{}{}:
		defer func() { <-pool.bulk }()
	case <-ctx.Done():
		return
	}
	next := func() *parcel { return l.next(ctx) }
	for mail := next(); mail != nil; mail = next() {
		pool.send(ctx, mail, next)
	}
}

// next returns a mail that is to be sent now, ready to go.
func (l *list) next(ctx context.Context) *parcel {
	for place := l.draw(ctx); place >= 0; place = l.draw(ctx) {
		asked, mail, err := l.mailer.write(l.wishes[place].Data, l.wishes[place].Metadata)
		if err != nil {
			l.note(place, err.Error())
			continue
		}
		known, over, err := taken.enter(ctx, asked.messageID, mail.to, l.maybe || asked.maybeTaken)
		switch {
		case err != nil:
			l.note(place, failure(err).Error())
		case known:
			l.note(place, "")
		default:
			return &parcel{mail, func(err error) { over(err == nil); l.over(place, err) }}
		}
	}
	return nil
}

// draw gives each mail out once, and none where the time is up or the server is in trouble.
func (l *list) draw(ctx context.Context) int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	now := time.Now()
	if l.begun == 0 {
		l.until = now.Add(l.mailer.pool.bulkFor)
	}
	if l.begun == len(l.wishes) || l.trouble != nil || ctx.Err() != nil || now.After(l.until) {
		return -1
	}
	l.begun++
	return l.begun - 1
}

func (l *list) over(place int, err error) {
	told := ""
	if err != nil {
		told = failure(err).Error()
	}
	l.note(place, told)
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if err != nil && ours(err) {
		l.trouble = failure(err)
	} else {
		l.judged = true
	}
}

func (l *list) note(place int, told string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.results[place] = told
}

// ours tells trouble that every mail would have from a word about one, and from a lost one.
func ours(err error) bool {
	answer := (*textproto.Error)(nil)
	if errors.As(err, &answer) {
		return slices.Contains(aboutUs, answer.Code)
	}
	return !errors.Is(err, errSending)
}
