// Package names resolves app-ids to addresses, under the name and fields of upstream's sqlite resolver.
//
// Upstream's asks the database anew at each call, parsing the statement each time: a quarter of what the edge spent.
// This one lets upstream's register, renew and clean up, and remembers what it read for as long as the file is as it was.
package names

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	authentication "github.com/dapr/components-contrib/common/authentication/sqlite"
	"github.com/dapr/components-contrib/nameresolution"
	"github.com/dapr/components-contrib/nameresolution/sqlite"
	"github.com/dapr/kit/logger"
	"github.com/dapr/kit/metadata"
)

// Who leaves without a word stays in the file and ages: so long may it be held for present beyond upstream's 5 s.
const rememberedFor = 250 * time.Millisecond

// So long nothing more is said of names that are not found.
const silence = 5 * time.Second

// Resolver is upstream's but for ResolveID. It must not offer ResolveIDMulti: daprd would keep such answers for 20 s.
type Resolver struct {
	nameresolution.Resolver
	log logger.Logger

	file     string
	database *sql.DB
	query    string

	mutex sync.RWMutex
	known map[string]answer

	complained atomic.Int64
}

// answer is who had an app-id when the file looked like this.
type answer struct {
	addresses nameresolution.AddressList
	file      stamp
	until     time.Time
}

type configuration struct {
	authentication.SqliteAuthMetadata `mapstructure:",squash"`

	TableName      string        `mapstructure:"tableName"`
	UpdateInterval time.Duration `mapstructure:"updateInterval"`
}

// New returns a resolver that has yet to be told its file.
func New(log logger.Logger) nameresolution.Resolver {
	return &Resolver{log: log, known: map[string]answer{}}
}

// Init registers this sidecar as upstream does, then opens the file a second time, to read.
func (r *Resolver) Init(ctx context.Context, meta nameresolution.Metadata) (err error) {
	if r.Resolver, err = join(ctx, meta, r.log); err != nil {
		return err
	}
	// upstream has judged the fields; these are its own defaults
	told := configuration{TableName: "hosts", UpdateInterval: 5 * time.Second}
	told.Timeout, told.BusyTimeout = time.Second, 800*time.Millisecond
	if err := metadata.DecodeMetadata(meta.Configuration, &told); err != nil {
		return err
	}
	address, err := told.GetConnectionString(r.log, authentication.GetConnectionStringOpts{})
	if err != nil {
		return err
	}
	if r.database, err = sql.Open("sqlite", address); err != nil {
		return err
	}
	if !told.IsInMemoryDB() {
		r.file, _, _ = strings.Cut(strings.TrimPrefix(address, "file:"), "?")
	}
	r.query = fmt.Sprintf("SELECT address FROM %s WHERE app_id = ? AND unixepoch(CURRENT_TIMESTAMP) - last_update < %d",
		told.TableName, int(told.UpdateInterval.Seconds()))
	return nil
}

// ResolveID returns the address of one sidecar of the app-id, any of them as likely.
func (r *Resolver) ResolveID(_ context.Context, request nameresolution.ResolveRequest) (string, error) {
	// before the question: what changes while it is asked makes the answer old
	file, there := stampOf(r.file)
	r.mutex.RLock()
	found, known := r.known[request.ID]
	r.mutex.RUnlock()
	if known && there && found.file == file && time.Now().Before(found.until) {
		return found.addresses.Pick(), nil
	}
	addresses, err := r.ask(request.ID)
	if err != nil {
		r.complain("%s cannot be looked up in %s: %v", request.ID, r.file, err)
		return "", fmt.Errorf("failed to look up address: %w", err)
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if len(addresses) == 0 {
		// not remembered, or inventions would fill the memory
		delete(r.known, request.ID)
		r.complain("no sidecar of %s has renewed its name in %s of late", request.ID, r.file)
		return "", sqlite.ErrNoHost
	}
	r.known[request.ID] = answer{addresses, file, time.Now().Add(rememberedFor)}
	return addresses.Pick(), nil
}

// ask reads the file, and is not cut off when its caller is: readers wait for no writer here, and what the driver gets
// interrupted after its first row stays open for ever, with all that it has locked (modernc.org/sqlite 1.34.5).
func (r *Resolver) ask(id string) (addresses nameresolution.AddressList, err error) {
	rows, err := r.database.QueryContext(context.Background(), r.query, id)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		address := ""
		if err := rows.Scan(&address); err != nil {
			return nil, err
		}
		addresses = append(addresses, address)
	}
	return addresses, rows.Err()
}

// complain logs what callers are told in other words or not at all, once in a while: they ask again at once.
func (r *Resolver) complain(what string, of ...any) {
	now, last := time.Now().UnixNano(), r.complained.Load()
	if now-last > int64(silence) && r.complained.CompareAndSwap(last, now) {
		r.log.Warnf(what, of...)
	}
}

// Close takes this sidecar out of the file.
func (r *Resolver) Close() (err error) {
	if r.Resolver != nil {
		err = r.Resolver.Close()
	}
	if r.database != nil {
		err = errors.Join(err, r.database.Close())
	}
	return err
}
