package smtp

import (
	"context"
	"sync"
	"time"
)

const (
	// Mail servers allow a client some ten connections at once; more would be refused, not faster.
	atOnce = 8
	// Mails that come by the list never hold all of them: one that comes alone need not wait for a list's end.
	bulkAtOnce = 4
	// A slow server gets the first of a list: its caller has mails that are more urgent, and a limit on the whole call.
	bulkBegins = 200 * time.Millisecond
	// Shorter than a careful server's own patience, so that it is seldom the server that hangs up.
	idleLimit = 20 * time.Second
	// Servers count mails per connection too; and behind one name there may be several, which a new connection spreads.
	mailsEach = 100
)

// pool keeps connections between mails and lends each to one mail at a time.
type pool struct {
	open     func(context.Context) (*conversation, error)
	turns    chan struct{}
	bulk     chan struct{}
	patience time.Duration
	bulkFor  time.Duration

	mutex  sync.Mutex
	idle   []*conversation
	closed bool
}

func newPool(open func(context.Context) (*conversation, error)) *pool {
	return &pool{
		open: open, turns: make(chan struct{}, atOnce), bulk: make(chan struct{}, bulkAtOnce),
		patience: idleLimit, bulkFor: bulkBegins,
	}
}

// send delivers mail, and what *next* brings after it, over a kept connection, or over a fresh one where there is none
// or it turns out dead.
func (p *pool) send(ctx context.Context, mail *parcel, next func() *parcel) {
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-ctx.Done():
		mail.over(ctx.Err())
		return
	}
	if kept := p.take(); kept != nil {
		if mail = p.use(ctx, kept, mail, next); mail == nil {
			return
		}
		// What ended one has most likely ended all: the next mails need not find out one by one.
		p.drain()
	}
	for mail != nil {
		fresh, err := p.open(ctx)
		if err != nil {
			mail.over(err)
			return
		}
		mail = p.use(ctx, fresh, mail, next)
	}
}

func (p *pool) use(ctx context.Context, lent *conversation, mail *parcel, next func() *parcel) (left *parcel) {
	left, err := lent.carry(ctx, mail, next)
	if lent.keepable(err) && ctx.Err() == nil {
		p.give(lent)
	} else {
		_ = lent.connection.Close()
	}
	return left
}

// take returns the connection that was used last, so that what is not needed grows old and ends.
func (p *pool) take() *conversation {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return nil
	}
	taken := p.idle[last]
	p.idle = p.idle[:last]
	taken.ending.Stop()
	return taken
}

func (p *pool) give(back *conversation) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.closed || back.mails >= mailsEach {
		go back.end()
		return
	}
	back.ending = time.AfterFunc(p.patience, func() { p.retire(back) })
	p.idle = append(p.idle, back)
}

// retire ends a connection that nobody wanted for long; one that was taken meanwhile is not in the list.
func (p *pool) retire(old *conversation) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for place, one := range p.idle {
		if one == old {
			p.idle = append(p.idle[:place], p.idle[place+1:]...)
			go old.end()
			return
		}
	}
}

func (p *pool) drain() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, one := range p.idle {
		one.ending.Stop()
		go one.end()
	}
	p.idle = nil
}

func (p *pool) close() {
	p.mutex.Lock()
	p.closed = true
	p.mutex.Unlock()
	p.drain()
}
