package smtp

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// server is a mail server of a test's own: it keeps what it gets, and says at each command what the test wants it to.
type server struct {
	listener net.Listener

	mutex sync.Mutex
	// reply answers a command; "" lets the server answer as usual, hangUp ends the connection without a word.
	reply     func(connection int, command string) string
	pipelines bool
	// it bears with commands that come one by one, too
	patient     bool
	connections []net.Conn
	mails       []received
	heard       []string
	// mails that came in one piece with the end of the one before
	piped int
}

type received struct {
	from, text string
	to         []string
	connection int
}

const (
	hangUp = "hang up"
	silent = "silent"
	// the mail is kept, and the answer to it is lost
	keepAndHangUp = "keep and hang up"
)

func serve(t testing.TB) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{listener: listener, reply: usual}
	t.Cleanup(func() { _ = listener.Close(); s.cut() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			s.mutex.Lock()
			s.connections = append(s.connections, connection)
			number := len(s.connections)
			s.mutex.Unlock()
			go s.talk(connection, number)
		}
	}()
	return s
}

func usual(int, string) string { return "" }

func (s *server) port() string {
	_, port, _ := net.SplitHostPort(s.listener.Addr().String())
	return port
}

func (s *server) says(reply func(connection int, command string) string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.reply = reply
}

func (s *server) said(connection int, command string) string {
	s.mutex.Lock()
	reply := s.reply
	s.mutex.Unlock()
	return reply(connection, command)
}

// cut ends every connection, as a server that restarts does.
func (s *server) cut() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, connection := range s.connections {
		_ = connection.Close()
	}
}

func (s *server) kept() []received {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append([]received(nil), s.mails...)
}

func (s *server) greeted() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.connections)
}

func (s *server) followed() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.piped
}

// carried counts the mails that a connection has brought.
func (s *server) carried(connection int) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	count := 0
	for _, one := range s.mails {
		if one.connection == connection {
			count++
		}
	}
	return count
}

func (s *server) talk(connection net.Conn, number int) {
	defer connection.Close()
	reader, mail := bufio.NewReader(connection), received{connection: number}
	fmt.Fprint(connection, "220 test\r\n")
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		command := strings.TrimRight(line, "\r\n")
		s.mutex.Lock()
		s.heard = append(s.heard, command)
		s.mutex.Unlock()
		answer := s.said(number, command)
		verb := strings.ToUpper(strings.SplitN(command, " ", 2)[0])
		switch {
		case answer == hangUp:
			return
		case answer == silent:
			continue
		case answer != "":
			fmt.Fprintf(connection, "%s\r\n", answer)
			if strings.HasPrefix(answer, "421") {
				return
			}
			continue
		}
		switch verb {
		case "EHLO":
			fmt.Fprint(connection, "250-test\r\n250-8BITMIME\r\n")
			if s.pipelines {
				fmt.Fprint(connection, "250-PIPELINING\r\n")
			}
			fmt.Fprint(connection, "250 AUTH PLAIN\r\n")
		case "AUTH":
			fmt.Fprint(connection, "235 in\r\n")
		case "MAIL":
			mail = received{from: between(command), connection: number}
			fmt.Fprint(connection, "250 ok\r\n")
		case "RCPT":
			if s.pipelines && !s.patient && reader.Buffered() == 0 {
				fmt.Fprint(connection, "554 said by itself\r\n")
				continue
			}
			mail.to = append(mail.to, between(command))
			fmt.Fprint(connection, "250 ok\r\n")
		case "DATA":
			fmt.Fprint(connection, "354 go on\r\n")
			whole := false
			if mail.text, whole = content(reader); !whole {
				return
			}
			if reader.Buffered() > 0 {
				s.mutex.Lock()
				s.piped++
				s.mutex.Unlock()
			}
			if !s.judge(connection, number, mail) {
				return
			}
		case "QUIT":
			fmt.Fprint(connection, "221 bye\r\n")
			return
		default:
			fmt.Fprint(connection, "250 ok\r\n")
		}
	}
}

// judge answers a whole mail as the test says to the command "."; false ends the connection.
func (s *server) judge(connection net.Conn, number int, mail received) bool {
	verdict := s.said(number, ".")
	if verdict == "" || verdict == keepAndHangUp {
		s.mutex.Lock()
		s.mails = append(s.mails, mail)
		s.mutex.Unlock()
	}
	switch verdict {
	case "":
		fmt.Fprint(connection, "250 kept\r\n")
	case hangUp, keepAndHangUp:
		return false
	case silent:
	default:
		fmt.Fprintf(connection, "%s\r\n", verdict)
	}
	return true
}

func content(reader *bufio.Reader) (text string, whole bool) {
	said := strings.Builder{}
	for {
		line, err := reader.ReadString('\n')
		if err != nil || line == ".\r\n" {
			return said.String(), err == nil
		}
		said.WriteString(strings.TrimPrefix(line, "."))
	}
}

func between(command string) string {
	_, rest, _ := strings.Cut(command, "<")
	address, _, _ := strings.Cut(rest, ">")
	return address
}
