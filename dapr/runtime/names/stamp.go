package names

import "os"

// stamp tells whether a SQLite file has been written to: whatever is, shows in the log of its writes or in the file.
// The clock of files is some milliseconds coarse; what falls into one tick unseen is seen when the answer is too old.
type stamp struct{ written, writtenLog, size, sizeLog int64 }

func stampOf(file string) (stamp, bool) {
	if file == "" {
		return stamp{}, false
	}
	main, err := os.Stat(file)
	if err != nil {
		return stamp{}, false
	}
	seen := stamp{written: main.ModTime().UnixNano(), size: main.Size()}
	if log, err := os.Stat(file + "-wal"); err == nil {
		seen.writtenLog, seen.sizeLog = log.ModTime().UnixNano(), log.Size()
	}
	return seen, true
}
