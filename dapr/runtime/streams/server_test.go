package streams

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// server stands for a Valkey that says to each XADD what a test wants it to, once it has heard as many as it waits for.
type server struct {
	listener net.Listener

	mutex       sync.Mutex
	connections int
	open        int
	waits       int
	says        func(connection int, entry string) string
	heard       [][]string
}

const (
	taken  = "$3\r\n1-1\r\n"
	full   = "-OOM command not allowed\r\n"
	hangUp = ""
)

// hangingUpAt says that all is taken but one entry, at which the server cuts the connection.
func hangingUpAt(entry string) func(int, string) string {
	return func(_ int, heard string) string {
		if heard == entry {
			return hangUp
		}
		return taken
	}
}

func serve(t testing.TB) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{listener: listener, waits: 1, says: func(int, string) string { return taken }}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go s.talk(connection)
		}
	}()
	return s
}

func (s *server) talk(connection net.Conn) {
	defer func() {
		_ = connection.Close()
		s.mutex.Lock()
		s.open--
		s.mutex.Unlock()
	}()
	s.mutex.Lock()
	s.connections++
	s.open++
	number := s.connections
	s.mutex.Unlock()
	reader, waiting := bufio.NewReader(connection), []string(nil)
	for {
		words, err := command(reader)
		if err != nil {
			return
		}
		if words[0] != "xadd" {
			_, _ = io.WriteString(connection, other(words))
			continue
		}
		s.mutex.Lock()
		s.heard = append(s.heard, words)
		waiting = append(waiting, words[len(words)-1])
		ready := len(waiting) >= s.waits
		s.mutex.Unlock()
		if !ready {
			continue
		}
		for _, entry := range waiting {
			said := s.says(number, entry)
			if said == hangUp {
				// as a server goes that has read what it was sent: what it said before arrives
				_ = connection.(*net.TCPConn).CloseWrite()
				_, _ = io.Copy(io.Discard, connection)
				return
			}
			_, _ = io.WriteString(connection, said)
		}
		waiting = nil
	}
}

func other(words []string) string {
	switch words[0] {
	case "ping":
		return "+PONG\r\n"
	case "info":
		version := "redis_version:7.2.0\r\n"
		return "$" + strconv.Itoa(len(version)) + "\r\n" + version + "\r\n"
	case "hello":
		return "-ERR unknown command\r\n"
	}
	return "+OK\r\n"
}

func command(reader *bufio.Reader) ([]string, error) {
	count, err := length(reader)
	if err != nil {
		return nil, err
	}
	words := make([]string, count)
	for i := range words {
		size, err := length(reader)
		if err != nil {
			return nil, err
		}
		word := make([]byte, size+len("\r\n"))
		if _, err := io.ReadFull(reader, word); err != nil {
			return nil, err
		}
		words[i] = string(word[:size])
	}
	words[0] = strings.ToLower(words[0])
	return words, nil
}

func length(reader *bufio.Reader) (int, error) {
	line, err := reader.ReadString('\n')
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(line[1:]))
}

// entries returns what was heard, without its fields.
func (s *server) entries() []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found := make([]string, len(s.heard))
	for i, words := range s.heard {
		found[i] = words[len(words)-1]
	}
	return found
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}
