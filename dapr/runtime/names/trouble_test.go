package names

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/dapr/components-contrib/nameresolution"
	"github.com/dapr/components-contrib/nameresolution/sqlite"
	"github.com/dapr/kit/logger"
)

func open(t *testing.T, file string) *sql.DB {
	t.Helper()
	database, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { database.Close() })
	return database
}

// take holds the file's lock until the function that it returns is called.
func take(t *testing.T, file string) func() {
	t.Helper()
	holder, err := open(t, file).Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.ExecContext(context.Background(), "BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	return sync.OnceFunc(func() { holder.ExecContext(context.Background(), "ROLLBACK") })
}

func TestASidecarJoinsOnceTheFileIsFreeHoweverLongItWasTaken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "names.db")
	edge := joined(t, New, file, "edge", 1)
	defer edge.Close()
	release := take(t, file)
	meta := nameresolution.Metadata{Instance: nameresolution.Instance{AppID: "users", Address: "127.0.0.1", DaprInternalPort: 2}}
	meta.Configuration = map[string]any{"connectionString": file}
	// what a sidecar of upstream's does is log this, and run on without a name
	lost := sqlite.NewResolver(logger.NewLogger("test"))
	if lost.Init(context.Background(), meta) == nil {
		t.Fatal("upstream waits for the file by itself now: what is done here about it has become idle")
	}
	lost.Close()
	users, done := New(logger.NewLogger("test")), make(chan error)
	go func() { done <- users.Init(context.Background(), meta) }()
	select {
	case err := <-done:
		t.Fatalf("it has joined while the file was taken: %v", err)
	case <-time.After(2 * time.Second):
	}
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	defer users.Close()
	if found := seen(t, edge, "users"); !same(found, "127.0.0.1:2") {
		t.Fatalf("found %v after it had joined", found)
	}
}

func TestWhatIsWronglyToldIsNotTriedAgain(t *testing.T) {
	meta := nameresolution.Metadata{Instance: nameresolution.Instance{AppID: "users", Address: "127.0.0.1", DaprInternalPort: 2}}
	began := time.Now()
	if New(logger.NewLogger("test")).Init(context.Background(), meta) == nil || time.Since(began) > patience/2 {
		t.Fatal("there is no file to register in, and it tried")
	}
}

func TestCallersThatAreCutOffLeaveNothingBehind(t *testing.T) {
	file := filepath.Join(t.TempDir(), "names.db")
	edge := joined(t, New, file, "edge", 1)
	defer edge.Close()
	defer joined(t, New, file, "users", 2).Close()
	database := open(t, file)
	until := time.Now().Add(time.Second)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for time.Now().Before(until) {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(300))*time.Microsecond)
				_, _ = edge.ResolveID(ctx, nameresolution.ResolveRequest{ID: "users"})
				cancel()
			}
		})
	}
	for time.Now().Before(until) {
		if _, err := database.Exec("UPDATE hosts SET last_update = unixepoch() WHERE app_id = 'users'"); err != nil {
			t.Fatal(err)
		}
	}
	all.Wait()
	if _, err := database.Exec("UPDATE hosts SET address = '127.0.0.1:3' WHERE app_id = 'users'"); err != nil {
		t.Fatal(err)
	}
	if found := seen(t, edge, "users"); !same(found, "127.0.0.1:3") {
		t.Fatalf("found %v, and it has moved", found)
	}
	// a reader that stands still somewhere keeps the log of writes from being emptied
	var busy, frames, moved int
	if err := database.QueryRow("PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved); err != nil {
		t.Fatal(err)
	}
	if busy != 0 || frames != 0 {
		t.Fatalf("a reader still holds what the file once was: busy %d, %d frames, %d moved", busy, frames, moved)
	}
}
