package names

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/dapr/components-contrib/nameresolution"
	"github.com/dapr/components-contrib/nameresolution/sqlite"
	"github.com/dapr/kit/logger"
)

func joined(t testing.TB, make func(logger.Logger) nameresolution.Resolver, file, id string, port int) nameresolution.Resolver {
	t.Helper()
	resolver := make(logger.NewLogger("test"))
	meta := nameresolution.Metadata{Instance: nameresolution.Instance{AppID: id, Address: "127.0.0.1", DaprInternalPort: port}}
	meta.Configuration = map[string]any{"connectionString": file}
	if err := resolver.Init(context.Background(), meta); err != nil {
		t.Fatal(err)
	}
	return resolver
}

// seen asks often enough that each of a few replicas has its turn.
func seen(t *testing.T, resolver nameresolution.Resolver, id string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for range 64 {
		address, err := resolver.ResolveID(context.Background(), nameresolution.ResolveRequest{ID: id})
		if err != nil {
			return found
		}
		found[address] = true
	}
	return found
}

func same(found map[string]bool, wanted ...string) bool {
	if len(found) != len(wanted) {
		return false
	}
	for _, address := range wanted {
		if !found[address] {
			return false
		}
	}
	return true
}

func TestReplicasAreSeenTheMomentTheyComeAndGo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "names.db")
	edge := joined(t, New, file, "edge", 1)
	defer edge.Close()
	if found := seen(t, edge, "orders"); len(found) != 0 {
		t.Fatalf("nobody has joined, and %v was found", found)
	}
	// upstream's resolver writes into the same file: an installed daprd may stand beside ours
	first := joined(t, sqlite.NewResolver, file, "orders", 2)
	if found := seen(t, edge, "orders"); !same(found, "127.0.0.1:2") {
		t.Fatalf("found %v with one replica", found)
	}
	second := joined(t, New, file, "orders", 3)
	if found := seen(t, edge, "orders"); !same(found, "127.0.0.1:2", "127.0.0.1:3") {
		t.Fatalf("found %v with two replicas", found)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if found := seen(t, edge, "orders"); !same(found, "127.0.0.1:3") {
		t.Fatalf("found %v after the first replica had left", found)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if found := seen(t, edge, "orders"); len(found) != 0 {
		t.Fatalf("found %v after everybody had left", found)
	}
}

func TestWhoDiedWithoutAWordIsForgottenAsItAges(t *testing.T) {
	file := filepath.Join(t.TempDir(), "names.db")
	edge := joined(t, New, file, "edge", 1)
	defer edge.Close()
	database, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer database.Close()
	_, err = database.Exec("INSERT INTO hosts VALUES ('x', '127.0.0.1:9', 'orders', '', unixepoch(CURRENT_TIMESTAMP) - 3)")
	if err != nil {
		t.Fatal(err)
	}
	if found := seen(t, edge, "orders"); !same(found, "127.0.0.1:9") {
		t.Fatalf("found %v while it was young", found)
	}
	// nothing writes to the file in between, so that its age alone can tell
	for deadline := time.Now().Add(3 * time.Second); len(seen(t, edge, "orders")) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a sidecar that has not renewed its entry for 5 s is still given out")
		}
	}
}

func BenchmarkResolve(b *testing.B) {
	for name, make := range map[string]func(logger.Logger) nameresolution.Resolver{"upstream": sqlite.NewResolver, "ours": New} {
		b.Run(name, func(b *testing.B) {
			file := filepath.Join(b.TempDir(), "names.db")
			edge := joined(b, make, file, "edge", 1)
			defer edge.Close()
			for b.Loop() {
				if _, err := edge.ResolveID(context.Background(), nameresolution.ResolveRequest{ID: "edge"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
