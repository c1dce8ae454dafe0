package streams

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"math/big"
	"reflect"
	"testing"

	component "github.com/dapr/components-contrib/common/component/redis"
	"github.com/dapr/components-contrib/metadata"
	"github.com/dapr/kit/logger"
)

// everything has no value that is a default.
var everything = fields{
	"redisUsername": "me", "redisPassword": "p", "redisDB": "2", "redisMinRetryInterval": "3", "redisMaxRetryInterval": "7ms",
	"dialTimeout": "2s", "readTimeout": "1s", "writeTimeout": "4s", "poolSize": "11", "minIdleConns": "0", "maxConnAge": "1h",
	"poolTimeout": "9s", "idleTimeout": "8m", "redisMaxRetries": "-1",
}

func TestOurClientIsToldWhatUpstreamsIs(t *testing.T) {
	certificate, key := identity(t)
	encrypted := fields{"enableTLS": "true", "insecureSkipTLSVerify": "true", "clientCert": certificate, "clientKey": key}
	for name, more := range map[string]fields{
		"plain": {}, "encrypted": encrypted, "cluster": {"redisType": "cluster"}, "sentinels": {"failover": "true", "sentinelMasterName": "m"},
	} {
		properties := fields{"redisHost": serve(t).listener.Addr().String()}
		maps.Copy(properties, everything)
		maps.Copy(properties, more)
		log := logger.NewLogger("test")
		theirs, _, err := component.ParseClientFromProperties(properties, metadata.PubSubType, context.Background(), &log)
		if err != nil {
			t.Fatal(name, err)
		}
		ours, err := newPublisher(properties)
		if err != nil {
			t.Fatal(name, err)
		}
		want, found := reflect.ValueOf(theirs).FieldByName("client").Elem(), reflect.ValueOf(ours.client)
		if want.Type() != found.Type() {
			t.Fatalf("%s: %s instead of %s", name, found.Type(), want.Type())
		}
		equal(t, name, settings(want), settings(found))
		_, _ = theirs.Close(), ours.client.Close()
	}
}

// settings finds what a client was made with: it keeps it to itself.
func settings(client reflect.Value) reflect.Value {
	client = client.Elem()
	if base := client.FieldByName("baseClient"); base.IsValid() {
		client = base.Elem()
	}
	return client.FieldByName("opt").Elem()
}

func equal(t *testing.T, name string, want, found reflect.Value) {
	t.Helper()
	for i := range want.NumField() {
		field, a, b := name+" "+want.Type().Field(i).Name, want.Field(i), found.Field(i)
		switch {
		case a.Comparable() && a.Kind() <= reflect.Float64 || a.Kind() == reflect.String:
			if !a.Equal(b) {
				t.Errorf("%s: %v instead of %v", field, b, a)
			}
		case a.Kind() == reflect.Slice && a.Len() != b.Len():
			t.Errorf("%s: %v instead of %v", field, b, a)
		case a.Kind() == reflect.Pointer && a.IsNil() != b.IsNil():
			t.Errorf("%s: %v instead of %v", field, b, a)
		case want.Type().Field(i).Name == "TLSConfig" && !a.IsNil():
			if b.Elem().FieldByName("InsecureSkipVerify").Bool() != a.Elem().FieldByName("InsecureSkipVerify").Bool() {
				t.Errorf("%s: differs", field)
			}
			if b.Elem().FieldByName("Certificates").Len() != a.Elem().FieldByName("Certificates").Len() {
				t.Errorf("%s: has other certificates", field)
			}
		}
	}
}

func identity(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	in := func(kind string, data []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}))
	}
	return in("CERTIFICATE", signed), in("PRIVATE KEY", encoded)
}

func TestWhereTokensAreRenewedTheRuntimePublishesOneByOne(t *testing.T) {
	found, err := newPublisher(fields{"redisHost": "h", "useEntraID": "true"})
	if found != nil || err != nil {
		t.Errorf("%v: %v", found, err)
	}
}
