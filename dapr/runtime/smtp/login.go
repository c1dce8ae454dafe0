package smtp

import (
	"errors"
	"fmt"
	"net/smtp"
	"strings"
)

// loginAuth signs in to servers that know LOGIN alone. Like the library's PLAIN it shows the password only to the host
// that was asked for, and only in private.
type loginAuth struct{ user, password, host string }

func (a *loginAuth) Start(server *smtp.ServerInfo) (string, []byte, error) {
	if server.Name != a.host {
		return "", nil, errors.New("wrong host name")
	}
	local := a.host == "localhost" || a.host == "127.0.0.1" || a.host == "::1"
	if !server.TLS && !local {
		return "", nil, errors.New("unencrypted connection")
	}
	return "LOGIN", nil, nil
}

func (a *loginAuth) Next(asked []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	switch strings.ToLower(strings.TrimSuffix(string(asked), ":")) {
	case "username", "user name":
		return []byte(a.user), nil
	case "password":
		return []byte(a.password), nil
	default:
		return nil, fmt.Errorf("the server asks for %q at sign-in", asked)
	}
}

// authentication picks as upstream does: what hides the password, else what the server knows.
func authentication(ways string, told settings) smtp.Auth {
	switch {
	case strings.Contains(ways, "CRAM-MD5"):
		return smtp.CRAMMD5Auth(told.User, told.Password)
	case strings.Contains(ways, "LOGIN") && !strings.Contains(ways, "PLAIN"):
		return &loginAuth{told.User, told.Password, told.Host}
	default:
		return smtp.PlainAuth("", told.User, told.Password, told.Host)
	}
}
