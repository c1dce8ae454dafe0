// Command injector is the service that Dapr's control plane registers as a webhook, with a certificate from files in place of
// one from Sentry: what it does to a pod is what a cluster with this release would do.
package main

import (
	"context"
	"crypto/tls"
	"os"
	"strconv"

	"github.com/dapr/dapr/pkg/client/clientset/versioned"
	"github.com/dapr/dapr/pkg/healthz"
	"github.com/dapr/dapr/pkg/injector/service"
	"github.com/dapr/dapr/pkg/security"
	"github.com/dapr/kit/logger"
	"github.com/dapr/kit/signals"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

var log = logger.NewLogger("sidecart.injector")

// injector PORT CERTIFICATE KEY APISERVER TOKEN
func main() {
	port, err := strconv.Atoi(os.Args[1])
	must(err)
	pair, err := tls.LoadX509KeyPair(os.Args[2], os.Args[3])
	must(err)
	anchors, err := os.ReadFile(os.Args[2])
	must(err)
	server := &rest.Config{Host: os.Args[4], BearerToken: os.Args[5], TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
	cfg, err := service.GetConfig()
	must(err)
	injector, err := service.NewInjector(service.Options{
		Port:                    port,
		ListenAddress:           "127.0.0.1",
		Config:                  cfg,
		KubeClient:              kubernetes.NewForConfigOrDie(server),
		DaprClient:              versioned.NewForConfigOrDie(server),
		Healthz:                 healthz.New(),
		ControlPlaneNamespace:   cfg.Namespace,
		ControlPlaneTrustDomain: cfg.ControlPlaneTrustDomain,
	})
	must(err)
	sentry, err := security.SentryID(spiffeid.RequireTrustDomainFromString(cfg.ControlPlaneTrustDomain), cfg.Namespace)
	must(err)
	must(injector.Run(
		signals.Context(),
		&tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
		sentry,
		func(context.Context) ([]byte, error) { return anchors, nil },
	))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
