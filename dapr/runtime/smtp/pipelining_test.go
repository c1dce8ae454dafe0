package smtp

import (
	"strings"
	"testing"
)

func TestWhatComesBeforeTheTextIsSaidInOnePieceWhereTheServerTakesIt(t *testing.T) {
	s := serve(t)
	s.pipelines = true
	m := mailer(t, s, nil)
	for range 3 {
		must(t, send(m, "first\n.\n..two\n"+strings.Repeat("long ", 4000), fields{"textBody": ".dots\n.\n"}))
	}
	if len(s.kept()) != 3 || s.greeted() != 1 {
		t.Errorf("%d mails on %d connections", len(s.kept()), s.greeted())
	}
	last, message := latest(t, s)
	if last.from != "shop@example.org" || strings.Join(last.to, " ") != "ada@example.org" || message.Header.Get("Subject") != "Hello" {
		t.Errorf("%+v", last)
	}
	if !strings.Contains(last.text, "\r\n.\r\n") || !strings.Contains(last.text, "\r\n..two") {
		t.Error("the dots of the text were lost")
	}
}

func TestARefusalAnywhereInThePieceIsTheAnswerAndNothingOfTheMailIsSent(t *testing.T) {
	for _, at := range []string{"MAIL", "RCPT", "DATA"} {
		for _, others := range []string{"503 5.5.1 out of order", "250 ok"} {
			s := serve(t)
			s.pipelines = true
			s.says(func(_ int, command string) string {
				switch {
				case strings.HasPrefix(command, at):
					return "550 5.1.1 no such reader"
				case strings.HasPrefix(command, "RCPT") && at == "MAIL":
					return others
				case strings.HasPrefix(command, "DATA") && others == "250 ok":
					// a server that goes on although nobody is left to read it
					return "354 go on"
				case strings.HasPrefix(command, "DATA") && at != "DATA":
					return others
				}
				return ""
			})
			m := mailer(t, s, nil)
			err := send(m, "secret", nil)
			if err == nil || !strings.Contains(err.Error(), "could not send email 1: 550 ") {
				t.Errorf("refused at %s: %v", at, err)
			}
			s.says(usual)
			must(t, send(m, "x", nil))
			if len(s.kept()) != 1 || strings.Contains(s.kept()[0].text, "secret") {
				t.Errorf("refused at %s: then %+v", at, s.kept())
			}
		}
	}
}

func TestAServerThatClosesAfterItsRefusalIsHeardToTheEnd(t *testing.T) {
	s := serve(t)
	s.pipelines = true
	s.says(func(_ int, command string) string {
		if strings.HasPrefix(command, "MAIL") {
			return "452 4.3.1 full"
		}
		if strings.HasPrefix(command, "RCPT") {
			return hangUp
		}
		return ""
	})
	if err := send(mailer(t, s, nil), "x", nil); err == nil || !strings.Contains(err.Error(), "452 ") {
		t.Error(err)
	}
}

func TestSeveralReadersAreAskedForOneByOne(t *testing.T) {
	s := serve(t)
	m := mailer(t, s, nil)
	s.pipelines = false
	must(t, send(m, "x", fields{"emailCC": "cc@example.org"}))
	if len(s.kept()) != 1 || len(s.kept()[0].to) != 2 {
		t.Errorf("%+v", s.kept())
	}
}
