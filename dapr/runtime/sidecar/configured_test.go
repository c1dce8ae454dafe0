package sidecar

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/dapr/dapr/cmd/daprd/options"
	"github.com/dapr/dapr/pkg/healthz"
	"github.com/dapr/dapr/pkg/runtime"
)

// Fields of the runtime that no option of the same name fills: set by us, or for programs that embed it.
var others = []string{"ApplicationPort", "SchedulerStreams", "Metrics", "Registry", "Security", "Healthz", "WorkflowEventSink"}

func TestNoFieldOfTheRuntimeIsLeftOut(t *testing.T) {
	wanted := reflect.TypeFor[runtime.Config]()
	filled := sameNamed(reflect.TypeFor[options.Options](), wanted)
	for _, field := range reflect.VisibleFields(wanted) {
		if slices.Contains(filled, field.Name) == slices.Contains(others, field.Name) {
			t.Errorf("%s is filled by no option, or is and is named as another", field.Name)
		}
	}
}

func TestOptionsArriveUnderTheirNamesAndTheOthers(t *testing.T) {
	opts, err := options.New([]string{
		"--app-id=orders", "--app-port=8002", "--scheduler-job-streams=5", "--dapr-http-port=3502", "--metrics-port=9502",
		"--resources-path=/etc/sidecart", "--enable-mtls", "--dapr-block-shutdown-duration=15s",
	})
	if err != nil {
		t.Fatal(err)
	}
	config := configured(opts, healthz.New())
	told := []any{config.AppID, config.ApplicationPort, config.SchedulerStreams, config.DaprHTTPPort, config.Metrics.Port,
		config.ResourcesPath, config.EnableMTLS, *config.DaprBlockShutdownDuration}
	want := []any{"orders", "8002", uint(5), "3502", "9502", []string{"/etc/sidecart"}, true, 15 * time.Second}
	if !reflect.DeepEqual(told, want) {
		t.Errorf("the runtime is told %v, not %v", told, want)
	}
}
