package smtp

import (
	"context"
	"strings"
	"testing"
	"time"
)

func TestTheServersCodeIsSeenAndTheConnectionServesTheNextMail(t *testing.T) {
	for _, at := range []string{"MAIL", "RCPT", "DATA", "."} {
		s := serve(t)
		s.says(func(_ int, command string) string {
			if strings.HasPrefix(command, at) {
				return "550 5.1.1 no such reader"
			}
			return ""
		})
		m := mailer(t, s, nil)
		err := send(m, "x", nil)
		if err == nil || !strings.Contains(err.Error(), "could not send email 1: 550 ") || !strings.Contains(err.Error(), "no such reader") {
			t.Errorf("refused at %s: %v", at, err)
		}
		s.says(usual)
		must(t, send(m, "x", nil))
		if len(s.kept()) != 1 || s.greeted() != 1 {
			t.Errorf("refused at %s: then %d mails on %d connections", at, len(s.kept()), s.greeted())
		}
	}
}

func TestTroubleWithTheServerItselfDoesNotReadAsARefusal(t *testing.T) {
	s := serve(t)
	s.says(func(_ int, command string) string {
		if strings.HasPrefix(command, "AUTH") {
			return "535 5.7.8 wrong"
		}
		return ""
	})
	err := send(mailer(t, s, fields{"user": "shop", "password": "wrong"}), "x", nil)
	if err == nil || !strings.Contains(err.Error(), "failed: 535 ") || strings.Contains(err.Error(), "could not send") {
		t.Error(err)
	}
	_ = s.listener.Close()
	if err := send(mailer(t, s, nil), "x", nil); err == nil || strings.Contains(err.Error(), "could not send") {
		t.Error(err)
	}
}

func TestAKeptConnectionThatDiedCostsNoMail(t *testing.T) {
	for name, dead := range map[string]func(*server){
		"cut":       func(s *server) { s.cut() },
		"hung up":   func(s *server) { s.says(onFirst("MAIL", hangUp)) },
		"closing":   func(s *server) { s.says(onFirst("MAIL", "421 4.4.2 too long idle")) },
		"data lost": func(s *server) { s.says(onFirst("DATA", hangUp)) },
	} {
		s := serve(t)
		m := mailer(t, s, nil)
		must(t, send(m, "x", nil))
		dead(s)
		if err := send(m, "x", nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(s.kept()) != 2 || s.greeted() != 2 {
			t.Errorf("%s: %d mails on %d connections", name, len(s.kept()), s.greeted())
		}
	}
}

func onFirst(verb, answer string) func(int, string) string {
	return func(connection int, command string) string {
		if connection == 1 && strings.HasPrefix(command, verb) {
			return answer
		}
		return ""
	}
}

func TestAMailWhoseAnswerWasLostIsNotSentAgain(t *testing.T) {
	s := serve(t)
	m := mailer(t, s, nil)
	must(t, send(m, "x", nil))
	s.says(onFirst(".", keepAndHangUp))
	if err := send(m, "x", nil); err == nil {
		t.Error("nobody knows whether it arrived, and it was called sent")
	}
	if len(s.kept()) != 2 || s.greeted() != 1 {
		t.Errorf("%d mails on %d connections", len(s.kept()), s.greeted())
	}
}

func TestAServerThatSaysNothingHoldsNobodyBeyondHisTime(t *testing.T) {
	s := serve(t)
	s.says(onFirst(".", silent))
	m := mailer(t, s, nil)
	began := time.Now()
	for _, cancel := range []bool{false, true} {
		ctx, end := context.WithTimeout(context.Background(), 100*time.Millisecond)
		if cancel {
			ctx, end = context.WithCancel(context.Background())
			time.AfterFunc(100*time.Millisecond, end)
			s.says(func(int, string) string { return silent })
		}
		if err := sendWithin(ctx, m, "x", nil); err == nil || time.Since(began) > 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		end()
	}
}

func TestIdleConnectionsEnd(t *testing.T) {
	s := serve(t)
	m := mailer(t, s, nil)
	m.pool.patience = 20 * time.Millisecond
	must(t, send(m, "x", nil))
	for deadline := time.Now().Add(5 * time.Second); !s.saw("QUIT"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a connection that nobody needs is kept for ever")
		}
	}
	must(t, send(m, "x", nil))
	if s.greeted() != 2 {
		t.Error("the next mail did not come on a connection of its own")
	}
}

func (s *server) saw(command string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, one := range s.heard {
		if one == command {
			return true
		}
	}
	return false
}
