package smtp

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/dapr/components-contrib/bindings"
)

func TestConnectionsThatEndOnTheWayCostNoMailAndRepeatNone(t *testing.T) {
	for name, end := range map[string]string{"closing": "421 4.7.0 enough for now", "hung up": hangUp} {
		for _, pipelines := range []bool{true, false} {
			s := serve(t)
			s.pipelines = pipelines
			s.says(func(connection int, command string) string {
				// each connection bears four mails, as the server counts
				if strings.HasPrefix(command, "MAIL") && s.carried(connection) == 4 {
					return end
				}
				return ""
			})
			told := results(t, mailer(t, s, nil), many(t, readers(60, nil)))
			if got := len(arrived(t, s)); got != 60 || count(told, empty) != 60 {
				t.Errorf("%s: %d arrived, %q", name, got, told)
			}
		}
	}
}

func TestOfAListOnlyTheMailWhoseAnswerWasLostIsUnknown(t *testing.T) {
	s := serve(t)
	s.pipelines = true
	s.says(func(connection int, command string) string {
		if connection == 1 && command == "." && s.carried(1) == 0 {
			return keepAndHangUp
		}
		return ""
	})
	told := results(t, mailer(t, s, nil), many(t, readers(60, nil)))
	if got := len(arrived(t, s)); got != 60 {
		t.Errorf("%d arrived", got)
	}
	if lost := count(told, func(said string) bool { return strings.Contains(said, "EOF") }); lost != 1 || count(told, empty) != 59 {
		t.Errorf("%d lost: %q", lost, told)
	}
}

func TestAListFailsAsAWholeWhereTheServerIsAwayOrDoesNotLikeOurLogin(t *testing.T) {
	s := serve(t)
	for at, said := range map[string]string{"AUTH": "535 5.7.8 wrong", "MAIL": "421 4.3.2 going down"} {
		s.says(func(_ int, command string) string {
			if strings.HasPrefix(command, at) {
				return said
			}
			return ""
		})
		m := mailer(t, s, fields{"user": "shop", "password": "secret"})
		if _, err := m.Invoke(context.Background(), many(t, readers(20, nil))); err == nil || !strings.Contains(err.Error(), said[:4]) {
			t.Errorf("%s: %v", at, err)
		}
	}
	// each conversation found out once, and no mail more was tried
	if s.greeted() > 2*bulkAtOnce {
		t.Errorf("%d connections", s.greeted())
	}
	_ = s.listener.Close()
	_, err := mailer(t, s, nil).Invoke(context.Background(), many(t, readers(20, nil)))
	if err == nil || !strings.Contains(err.Error(), "dial tcp") || len(s.kept()) > 0 {
		t.Error(err)
	}
	if _, err := mailer(t, s, nil).Invoke(context.Background(), many(t, "no list")); err == nil {
		t.Error("what is no list was taken")
	}
}

func TestASlowServerGetsTheFirstOfAListAndTheRestIsAskedForAgain(t *testing.T) {
	s := serve(t)
	s.pipelines = true
	s.says(func(_ int, command string) string {
		if command == "." {
			time.Sleep(2 * bulkBegins)
		}
		return ""
	})
	m := mailer(t, s, nil)
	m.pool.bulkFor = bulkBegins
	wishes := readers(40, nil)
	told := results(t, m, many(t, wishes))
	left := []map[string]any{}
	for number, said := range told {
		if said == NotBegun {
			left = append(left, wishes[number])
		}
	}
	// two on each connection: the second was opened before the first was answered
	if begun := count(told, empty); begun == 0 || begun > 2*bulkAtOnce || begun+len(left) != 40 || begun != len(s.kept()) {
		t.Fatalf("%d begun, %d left, %d kept", begun, len(left), len(s.kept()))
	}
	s.says(usual)
	if results(t, m, many(t, left)); len(arrived(t, s)) != 40 {
		t.Errorf("%d arrived", len(s.kept()))
	}
}

func TestARetryOfTheSameRequestRepeatsNothingAndANewOneIsSent(t *testing.T) {
	s := serve(t)
	m := mailer(t, s, nil)
	// the ledger is the process' own
	named := func(_ int, said fields) { said["messageId"] = strings.Replace(said["emailTo"], "@", "@retried-", 1) }
	request := many(t, readers(20, named))
	for range 2 {
		if told := results(t, m, request); count(told, empty) != 20 || len(arrived(t, s)) != 20 {
			t.Errorf("%d arrived: %q", len(s.kept()), told)
		}
	}
	lost := func(number int, said fields) {
		if named(number, said); number < 15 {
			said[again] = "true"
		}
	}
	if results(t, m, many(t, readers(20, lost))); len(s.kept()) != 25 {
		t.Errorf("%d arrived", len(s.kept()))
	}
	alone := &bindings.InvokeRequest{Data: []byte("x"), Metadata: fields{"emailTo": "a@example.org", "subject": "x", "messageId": "alone@retried"}}
	for range 2 {
		_, err := m.Invoke(context.Background(), alone)
		must(t, err)
	}
	if len(s.kept()) != 26 {
		t.Errorf("%d arrived", len(s.kept()))
	}
}

func TestAMailThatComesAloneNeedNotWaitForTheEndOfAList(t *testing.T) {
	s := serve(t)
	alone := make(chan struct{})
	s.says(func(_ int, command string) string {
		if command == "MAIL FROM:<desk@example.org> BODY=8BITMIME" {
			close(alone)
		}
		if command == "." {
			<-alone
		}
		return ""
	})
	m := mailer(t, s, nil)
	ended := make(chan []string)
	for range 3 {
		go func() { ended <- results(t, m, many(t, readers(20, nil))) }()
	}
	for deadline := time.Now().Add(5 * time.Second); s.greeted() < bulkAtOnce && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	must(t, send(m, "x", fields{"emailFrom": "desk@example.org"}))
	for range 3 {
		<-ended
	}
}
