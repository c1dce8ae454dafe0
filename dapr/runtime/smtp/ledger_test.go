package smtp

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"
)

const again = "maybeTaken"

func TestWhatWasTakenIsNotSentAgainToOneWhoLostTheAnswer(t *testing.T) {
	s := serve(t)
	first, other := mailer(t, s, nil), mailer(t, s, nil)
	id := "taken-" + strconv.FormatInt(time.Now().UnixNano(), 36) + "@sidecart.example"
	must(t, send(first, "x", fields{"messageId": id}))
	must(t, send(other, "x", fields{"messageId": id, again: "true"}))
	if len(s.kept()) != 1 {
		t.Errorf("%d mails", len(s.kept()))
	}
	// to somebody else it is another mail, and who says nothing of a lost answer means what he asks for
	must(t, send(first, "x", fields{"messageId": id, again: "true", "emailTo": "bob@example.org"}))
	must(t, send(first, "x", fields{"messageId": id}))
	must(t, send(first, "x", fields{again: "true"}))
	if len(s.kept()) != 4 {
		t.Errorf("%d mails", len(s.kept()))
	}
}

func TestWhatWasRefusedIsSentAgain(t *testing.T) {
	s := serve(t)
	s.says(func(_ int, command string) string {
		if command == "." {
			return "451 4.3.0 later"
		}
		return ""
	})
	m, said := mailer(t, s, nil), fields{"messageId": "refused@sidecart.example", again: "true"}
	if err := send(m, "x", said); err == nil {
		t.Error("refused, and called sent")
	}
	s.says(usual)
	must(t, send(m, "x", said))
	if len(s.kept()) != 1 {
		t.Errorf("%d mails", len(s.kept()))
	}
}

func TestARepeatWaitsForTheOneThatIsOnItsWay(t *testing.T) {
	book, gate, sent := &ledger{now: time.Now}, make(chan error), 0
	results := make(chan error, 2)
	deliver := func() error { sent++; return <-gate }
	to := []string{"ada@example.org"}
	go func() { results <- book.once(context.Background(), "a@b", to, false, deliver) }()
	for {
		if _, first := book.look(mark{}); first == nil && len(book.underwayNow()) == 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	ctx, end := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer end()
	if err := book.once(ctx, "a@b", to, true, deliver); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	go func() { results <- book.once(context.Background(), "a@b", to, true, deliver) }()
	gate <- nil
	must(t, <-results)
	must(t, <-results)
	if sent != 1 {
		t.Errorf("sent %d times", sent)
	}
}

func TestAMailWhoseSenderWasKilledIsHeardToTheEndAndRemembered(t *testing.T) {
	s := serve(t)
	m, said := mailer(t, s, nil), fields{"messageId": "killed@sidecart.example"}
	ctx, killed := context.WithCancel(context.Background())
	s.says(func(_ int, command string) string {
		if command == "." {
			killed()
			time.Sleep(50 * time.Millisecond)
		}
		return ""
	})
	_ = sendWithin(ctx, m, "x", said)
	for deadline := time.Now().Add(5 * time.Second); len(s.kept()) == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	s.says(usual)
	said[again] = "true"
	must(t, send(m, "x", said))
	if len(s.kept()) != 1 {
		t.Errorf("%d mails", len(s.kept()))
	}
}

func (l *ledger) underwayNow() []mark {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	marks := []mark{}
	for one := range l.underway {
		marks = append(marks, one)
	}
	return marks
}

func TestMailsAreForgottenInTime(t *testing.T) {
	now := time.Now()
	book, sent := &ledger{now: func() time.Time { return now }}, 0
	once := func() {
		must(t, book.once(context.Background(), "a@b", nil, true, func() error { sent++; return nil }))
	}
	for _, step := range []struct {
		later    time.Duration
		expected int
	}{{0, 1}, {time.Minute, 1}, {rememberedFor, 1}, {3 * rememberedFor, 2}} {
		now = now.Add(step.later)
		if once(); sent != step.expected {
			t.Errorf("after %s: sent %d times", step.later, sent)
		}
	}
	for number := range 3 * rememberedMost {
		must(t, book.once(context.Background(), strconv.Itoa(number), nil, false, func() error { return nil }))
	}
	if kept := len(book.recent) + len(book.older); kept > 2*rememberedMost {
		t.Errorf("%d are kept", kept)
	}
}
