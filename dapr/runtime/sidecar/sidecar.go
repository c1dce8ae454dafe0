// Package sidecar runs Dapr's runtime as upstream's command does, but for one thing: only a stop lingers.
//
// An edited policy or endpoint starts the runtime anew within its process. Upstream lets that wait as long as a stop
// does (`--dapr-block-shutdown-duration`), without a single event: fifteen seconds for a number in a file.
package sidecar

import (
	"context"
	"fmt"
	"os"

	"github.com/dapr/dapr/cmd/daprd/options"
	"github.com/dapr/dapr/pkg/buildinfo"
	"github.com/dapr/dapr/pkg/healthz"
	"github.com/dapr/dapr/pkg/modes"
	"github.com/dapr/dapr/pkg/runtime"
	"github.com/dapr/dapr/pkg/security"
	"github.com/dapr/kit/concurrency"
	"github.com/dapr/kit/logger"
	"github.com/dapr/kit/signals"
	"go.uber.org/automaxprocs/maxprocs"
)

var log = logger.NewLogger("dapr.runtime")

// Run is the command: it returns when the sidecar has stopped, and ends the process where it cannot run.
func Run() {
	_, _ = maxprocs.Set()
	keepConnections()
	opts, err := options.New(os.Args[1:])
	if err != nil {
		log.Fatalf("the options cannot be read: %v", err)
	}
	if answered(opts) {
		return
	}
	opts.Logger.SetAppID(opts.AppID)
	if err := logger.ApplyOptionsToLoggers(&opts.Logger); err != nil {
		log.Fatal(err)
	}
	log.Infof("Starting Dapr Runtime -- version %s -- commit %s", buildinfo.Version(), buildinfo.Commit())
	nameLoggers()
	stop := signals.Context()
	// one round for each SIGHUP, which daprd sends itself when a file was edited; none once it is to stop
	for reload := range signals.OnHUP(stop) {
		if err := once(reload, stop, opts); err != nil {
			log.Fatalf("Fatal error from runtime: %s", err)
		}
		if reload.Err() == nil {
			break // it was told to end by its own API
		}
	}
	log.Info("Daprd shutdown gracefully")
}

// answered tells whether the command was only asked something.
func answered(opts *options.Options) bool {
	switch {
	case opts.RuntimeVersion:
		fmt.Println(buildinfo.Version())
	case opts.BuildInfo:
		fmt.Printf("Version: %s\nGit Commit: %s\nGit Version: %s\n", buildinfo.Version(), buildinfo.Commit(), buildinfo.GitVersion())
	case opts.WaitCommand:
		runtime.WaitUntilDaprOutboundReady(opts.DaprHTTPPort)
	default:
		return false
	}
	return true
}

// once runs the runtime until the next reload or the stop.
func once(reload, stop context.Context, opts *options.Options) error {
	health := healthz.New()
	ctx, pause := lingering(reload, stop, opts.DaprBlockShutdownDuration)
	identity, err := security.New(ctx, security.Options{
		SentryAddress:           opts.SentryAddress,
		ControlPlaneTrustDomain: opts.ControlPlaneTrustDomain,
		ControlPlaneNamespace:   opts.ControlPlaneNamespace,
		TrustAnchors:            opts.TrustAnchors,
		AppID:                   opts.AppID,
		MTLSEnabled:             opts.EnableMTLS,
		Mode:                    modes.DaprMode(opts.Mode),
		Healthz:                 health,
		JwtAudiences:            opts.SentryRequestJwtAudiences,
	})
	if err != nil {
		return err
	}
	return concurrency.NewRunnerManager(identity.Run, func(ctx context.Context) error {
		proven, err := identity.Handler(ctx)
		if err != nil {
			return err
		}
		config := configured(opts, health)
		config.Security, config.DaprBlockShutdownDuration = proven, pause
		running, err := runtime.FromConfig(ctx, config)
		if err != nil {
			return err
		}
		return running.Run(ctx)
	}).Run(ctx)
}
