package store

import (
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// openSQLite returns one connection for writing and a pool for reading. Full synchronisation is what makes a
// committed transaction survive a power cut; the write-ahead log lets readers go on beside the writer.
func openSQLite(c Config) (write, read *sql.DB, err error) {
	path, err := filepath.Abs(c.SQLite)
	if err != nil {
		return nil, nil, err
	}
	if c.ReadOnly {
		if _, err := os.Stat(path); err != nil {
			return nil, nil, err
		}
	} else {
		// The file holds sessions and sealed keys: it is its owner's alone from its first moment. One that is there is
		// not opened here, since closing it would drop the locks that this process holds on it.
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		if err == nil {
			err = f.Close()
		}
		if err != nil && !errors.Is(err, os.ErrExist) {
			return nil, nil, err
		}
	}
	common := url.Values{"_pragma": {"busy_timeout(10000)", "synchronous(FULL)"}}
	reading := url.Values{"_pragma": append(common["_pragma"], "query_only(1)")}
	if c.ReadOnly {
		reading.Set("mode", "ro")
	}
	if read, err = sql.Open("sqlite", sqliteName(path, reading)); err != nil {
		return nil, nil, err
	}
	read.SetMaxOpenConns(8)
	read.SetMaxIdleConns(8)
	if c.ReadOnly {
		return read, read, nil
	}
	// The one connection that writes has a cache that holds the hot pages of the audit log's index (16 MiB at most), and
	// moves the log into the file every 16 MiB: more often would write the same pages again and again.
	common["_pragma"] = append(common["_pragma"], "journal_mode(WAL)", "cache_size(-16384)", "wal_autocheckpoint(4000)")
	common.Set("_txlock", "immediate")
	if write, err = sql.Open("sqlite", sqliteName(path, common)); err != nil {
		read.Close()
		return nil, nil, err
	}
	write.SetMaxOpenConns(1)
	if err := whileBusy(write.Ping); err != nil {
		write.Close()
		read.Close()
		return nil, nil, err
	}
	return write, read, nil
}

// whileBusy tries again for ten seconds: a file that several processes open at once is turned to the write-ahead log by
// one of them, and SQLite does not wait for that by itself (https://sqlite.org/wal.html).
func whileBusy(open func() error) error {
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := open()
		var e *sqlite.Error
		if !errors.As(err, &e) || e.Code()&0xff != sqlite3.SQLITE_BUSY || time.Now().After(end) {
			return err
		}
	}
}

func sqliteName(path string, options url.Values) string {
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: options.Encode()}).String()
}

func sqliteExists(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) &&
		(e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY || e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE)
}
