package smtp

import (
	"context"
	"crypto/sha256"
	"strings"
	"sync"
	"time"
)

const (
	// Whoever lost an answer asks again within minutes; a process that died is back in seconds.
	rememberedFor = 15 * time.Minute
	// At sixteen bytes each, and twice as many where they come so fast: a few megabytes.
	rememberedMost = 100_000
)

// taken is what mail servers have accepted from this process, by whichever component: a repeat may come by another.
var taken = &ledger{now: time.Now}

type mark [16]byte

// ledger remembers accepted mails for a while, so that one whose answer its sender lost is not sent a second time.
type ledger struct {
	now func() time.Time

	mutex    sync.Mutex
	recent   map[mark]struct{}
	older    map[mark]struct{}
	since    time.Time
	underway map[mark]chan struct{}
}

// once sends unless *maybe* and the same mail to the same people was taken before.
func (l *ledger) once(ctx context.Context, id string, to []string, maybe bool, send func() error) error {
	known, over, err := l.enter(ctx, id, to, maybe)
	if known || err != nil {
		return err
	}
	err = send()
	over(err == nil)
	return err
}

// enter notes that a mail sets out, and gives what notes whether it was accepted; one that is *maybe* known is not to be
// sent where it is. A repeat that comes while the first is still on its way waits for what becomes of that.
func (l *ledger) enter(ctx context.Context, id string, to []string, maybe bool) (known bool, over func(bool), err error) {
	if id == "" {
		return false, func(bool) {}, nil
	}
	whole := sha256.Sum256([]byte(id + "\n" + strings.Join(to, "\n")))
	key := mark(whole[:len(mark{})])
	for maybe {
		known, first := l.look(key)
		if known {
			return true, nil, nil
		}
		if first == nil {
			break
		}
		select {
		case <-first:
		case <-ctx.Done():
			return false, nil, ctx.Err()
		}
	}
	return false, l.begin(key), nil
}

func (l *ledger) look(key mark) (known bool, first chan struct{}) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.age()
	_, recent := l.recent[key]
	_, older := l.older[key]
	return recent || older, l.underway[key]
}

func (l *ledger) begin(key mark) (over func(accepted bool)) {
	ended := make(chan struct{})
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.underway == nil {
		l.underway = map[mark]chan struct{}{}
	}
	l.underway[key] = ended
	return func(accepted bool) {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		if l.underway[key] == ended {
			delete(l.underway, key)
		}
		if accepted {
			l.age()
			l.recent[key] = struct{}{}
		}
		close(ended)
	}
}

// age forgets in two steps, so that forgetting costs nothing.
func (l *ledger) age() {
	now := l.now()
	if l.recent != nil && len(l.recent) < rememberedMost && now.Sub(l.since) < rememberedFor {
		return
	}
	if now.Sub(l.since) < 2*rememberedFor {
		l.older = l.recent
	} else {
		l.older = nil
	}
	l.recent, l.since = map[mark]struct{}{}, now
}
