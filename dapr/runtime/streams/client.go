package streams

import (
	"crypto/tls"
	"strings"
	"time"

	component "github.com/dapr/components-contrib/common/component/redis"
	"github.com/redis/go-redis/v9"
)

// options says to a client of our own what upstream says to its own: that one shows no pipeline but a transaction, which
// would hold up everybody else's commands, and of which a single outcome is told.
func options(s *component.Settings) (*redis.UniversalOptions, error) {
	said := &redis.UniversalOptions{
		Addrs: []string{s.Host}, DB: s.DB, Username: s.Username, Password: s.Password,
		SentinelUsername: s.SentinelUsername, SentinelPassword: s.SentinelPassword,
		// A repetition by the client would send what was answered as well; publisher repeats the rest, as often.
		MaxRetries:      never,
		MinRetryBackoff: time.Duration(s.RedisMinRetryInterval), MaxRetryBackoff: time.Duration(s.RedisMaxRetryInterval),
		DialTimeout: time.Duration(s.DialTimeout), ReadTimeout: time.Duration(s.ReadTimeout),
		WriteTimeout: time.Duration(s.WriteTimeout), ContextTimeoutEnabled: true,
		PoolSize: s.PoolSize, PoolTimeout: time.Duration(s.PoolTimeout), MinIdleConns: s.MinIdleConns,
		ConnMaxIdleTime: time.Duration(s.IdleTimeout), ConnMaxLifetime: time.Duration(s.MaxConnAge),
		IsClusterMode: s.RedisType == component.ClusterType,
	}
	if s.Failover {
		said.MasterName = s.SentinelMasterName
	}
	if s.Failover || said.IsClusterMode {
		said.Addrs = strings.Split(s.Host, ",")
	}
	if !s.EnableTLS {
		return said, nil
	}
	said.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: s.InsecureSkipTLSVerify}
	err := s.SetCertificate(func(own *tls.Certificate) { said.TLSConfig.Certificates = []tls.Certificate{*own} })
	return said, err
}
