package smtp

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dapr/components-contrib/bindings"
)

// readers is a list of mails to as many people; *more* changes one's fields.
func readers(count int, more func(number int, said fields)) []map[string]any {
	all := []map[string]any{}
	for number := range count {
		name := fmt.Sprintf("reader-%d", number)
		said := fields{"emailTo": name + "@example.org", "subject": name, "textBody": "text for " + name}
		if more != nil {
			more(number, said)
		}
		all = append(all, map[string]any{"data": "<p>" + name + "</p>", "metadata": said})
	}
	return all
}

func many(t testing.TB, wishes any) *bindings.InvokeRequest {
	t.Helper()
	data, err := json.Marshal(wishes)
	must(t, err)
	return &bindings.InvokeRequest{Operation: CreateMany, Data: data}
}

func results(t testing.TB, m *Mailer, request *bindings.InvokeRequest) []string {
	t.Helper()
	answer, err := m.Invoke(context.Background(), request)
	must(t, err)
	told := []string{}
	must(t, json.Unmarshal(answer.Data, &told))
	return told
}

// arrived checks that each mail kept is its reader's own and the only one, and returns their names.
func arrived(t testing.TB, s *server) []string {
	t.Helper()
	names := []string{}
	for _, one := range s.kept() {
		name := strings.TrimSuffix(one.to[0], "@example.org")
		own := strings.Contains(one.text, "Subject: "+name+"\r\n") && strings.Contains(one.text, "text for "+name+"\r\n")
		if !own || strings.Count(one.text, name+"</p>") != 1 || strings.Count(one.text, "</p>") != 1 {
			t.Fatalf("mixed up: %v\n%s", one.to, one.text)
		}
		if slices.Contains(names, name) {
			t.Errorf("%s has it twice", name)
		}
		names = append(names, name)
	}
	return names
}

func count(told []string, of func(string) bool) int {
	found := 0
	for _, one := range told {
		if of(one) {
			found++
		}
	}
	return found
}

func empty(said string) bool { return said == "" }

func TestEachOfAListReachesItsOwnReader(t *testing.T) {
	for _, pipelines := range []bool{true, false} {
		s := serve(t)
		s.pipelines, s.patient = pipelines, true
		m := mailer(t, s, nil)
		const mails = 300
		told := results(t, m, many(t, readers(mails, func(number int, said fields) {
			if number%7 == 0 {
				said["emailCC"] = "cc-" + said["emailTo"]
			}
		})))
		if got := len(arrived(t, s)); got != mails || count(told, empty) != mails {
			t.Errorf("%d arrived, %d are called taken", got, count(told, empty))
		}
		for _, one := range s.kept() {
			if wanted := strings.Count(one.text, "Cc: "); len(one.to) != 1+wanted || strings.Contains(one.text, "Cc: ") && one.to[1] != "cc-"+one.to[0] {
				t.Errorf("copies: %v", one.to)
			}
		}
		if s.greeted() > bulkAtOnce+mails/mailsEach {
			t.Errorf("%d connections", s.greeted())
		}
		if s.followed() > 0 != pipelines {
			t.Errorf("%d mails came behind another in one piece", s.followed())
		}
	}
}

func TestWhatIsRefusedOrCannotBeWrittenTouchesNoNeighbour(t *testing.T) {
	for _, pipelines := range []bool{true, false} {
		for _, goesOn := range []string{"", "354 go on"} {
			s := serve(t)
			s.pipelines = pipelines
			refused := false
			s.says(func(_ int, command string) string {
				if strings.HasPrefix(command, "RCPT") {
					refused = strings.Contains(command, "3@")
				}
				switch {
				case strings.HasPrefix(command, "RCPT") && refused:
					return "550 5.1.1 no such reader"
				case command == "DATA" && refused && pipelines && goesOn == "":
					return "503 5.5.1 nobody to read it"
				case command == "DATA" && refused && pipelines:
					return goesOn
				}
				return ""
			})
			m := mailer(t, s, nil)
			m.pool.bulk = make(chan struct{}, 1) // `refused` is one conversation's
			told := results(t, m, many(t, readers(40, func(number int, said fields) {
				if number%10 == 5 {
					said["subject"] = "x\r\nBcc: eve@example.org"
				}
			})))
			names := arrived(t, s)
			for number, said := range told {
				name, wanted := fmt.Sprintf("reader-%d", number), ""
				switch number % 10 {
				case 3:
					wanted = "could not send email 1: 550 "
				case 5:
					wanted = "could not send email 1: 554 5.6.0 not sent"
				}
				if !strings.Contains(said, wanted) || (said == "") != (wanted == "") || slices.Contains(names, name) != (wanted == "") {
					t.Errorf("%s: %q", name, said)
				}
			}
		}
	}
}

func TestARefusalOfAWholeMailTouchesNoNeighbour(t *testing.T) {
	s := serve(t)
	s.pipelines = true
	mails := 0
	s.says(func(_ int, command string) string {
		if command == "." {
			if mails++; mails%4 == 0 {
				return "554 5.7.1 reads like spam"
			}
		}
		return ""
	})
	m := mailer(t, s, nil)
	m.pool.bulk = make(chan struct{}, 1)
	told := results(t, m, many(t, readers(40, nil)))
	names := arrived(t, s)
	for number, said := range told {
		if taken := slices.Contains(names, fmt.Sprintf("reader-%d", number)); taken != (said == "") || !taken && !strings.Contains(said, "could not send email 1: 554 ") {
			t.Errorf("reader-%d: %q", number, said)
		}
	}
	if len(names) != 30 {
		t.Errorf("%d arrived", len(names))
	}
}
