// Command sentry is Dapr's certificate authority with its health server on loopback.
//
// Upstream's command takes a listen address for that server and then ignores it, so that a certificate authority for
// one machine answers every network. This one puts the same parts together and serves health where it is told to.
package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/dapr/dapr/cmd/sentry/options"
	"github.com/dapr/dapr/pkg/buildinfo"
	"github.com/dapr/dapr/pkg/healthz"
	"github.com/dapr/dapr/pkg/modes"
	"github.com/dapr/dapr/pkg/sentry"
	"github.com/dapr/dapr/pkg/sentry/config"
	"github.com/dapr/dapr/pkg/sentry/monitoring"
	"github.com/dapr/kit/concurrency"
	"github.com/dapr/kit/fswatcher"
	"github.com/dapr/kit/logger"
	"github.com/dapr/kit/signals"
)

var log = logger.NewLogger("sidecart.sentry")

// Credentials are written file by file: one restart for all of them.
const settle = 2 * time.Second

func main() {
	opts := options.New(os.Args[1:])
	must(opts.Validate())
	must(logger.ApplyOptionsToLoggers(&opts.Logger))
	must(monitoring.InitMetrics())
	cfg, err := configuration(opts)
	must(err)
	log.Infof("certificate authority of Dapr %s", buildinfo.Version())

	changed := make(chan struct{})
	watcher, err := fswatcher.New(fswatcher.Options{Targets: []string{opts.IssuerCredentialsPath}})
	must(err)
	must(concurrency.NewRunnerManager(
		func(ctx context.Context) error { return watcher.Run(ctx, changed) },
		func(ctx context.Context) error { return serve(ctx, opts, cfg, changed) },
	).Run(signals.Context()))
}

func configuration(opts *options.Options) (config.Config, error) {
	cfg, err := config.FromConfigName(opts.ConfigName, opts.Mode)
	if err != nil {
		return cfg, err
	}
	in := func(name string) string { return filepath.Join(opts.IssuerCredentialsPath, name) }
	cfg.RootCertPath = in(opts.X509.RootCAFilename)
	cfg.IssuerCertPath = in(opts.X509.IssuerCertFilename)
	cfg.IssuerKeyPath = in(opts.X509.IssuerKeyFilename)
	cfg.TrustDomain, cfg.Mode = opts.TrustDomain, modes.DaprMode(opts.Mode)
	cfg.ListenAddress, cfg.Port = opts.ListenAddress, opts.Port
	return cfg, nil
}

// serve runs the authority, and anew with fresh credentials whenever their files change.
func serve(ctx context.Context, opts *options.Options, cfg config.Config, changed <-chan struct{}) error {
	for ctx.Err() == nil {
		health := healthz.New()
		authority, err := sentry.New(ctx, sentry.Options{Config: cfg, Healthz: health})
		if err != nil {
			return err
		}
		err = concurrency.NewRunnerManager(
			authority.Start,
			func(ctx context.Context) error { return answerHealth(ctx, opts, health) },
			func(ctx context.Context) error { return untilSettled(ctx, changed) },
		).Run(ctx)
		if err != nil {
			return err
		}
	}
	return nil
}

func untilSettled(ctx context.Context, changed <-chan struct{}) error {
	select {
	case <-ctx.Done():
	case <-changed:
		monitoring.IssuerCertChanged()
		select {
		case <-ctx.Done():
		case <-time.After(settle):
			log.Warn("the issuer's credentials changed: starting again with the new ones")
		}
	}
	return nil
}

func answerHealth(ctx context.Context, opts *options.Options, health healthz.Healthz) error {
	handler := http.NewServeMux()
	handler.HandleFunc("/healthz", func(writer http.ResponseWriter, _ *http.Request) {
		if !health.IsReady() {
			writer.WriteHeader(http.StatusInternalServerError)
		}
	})
	address := net.JoinHostPort(opts.HealthzListenAddress, strconv.Itoa(opts.HealthzPort))
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); ctx.Err() == nil {
		return err
	}
	return nil
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
