package sqlstore

import (
	"context"
	"fmt"

	"github.com/openecp/openecp/ecp"
)

// Platform is what the clusters of a database are made on. A daemon for another
// one would take each of them for lost.
type Platform string

// The platforms.
const (
	Simulated  Platform = "simulated"
	Kubernetes Platform = "kubernetes"
)

// platformMarks are how the header of the file says it (user_version); 0 = not
// at all.
var platformMarks = map[int]Platform{1: Simulated, 2: Kubernetes}

var platformWords = map[Platform]string{
	Simulated: "simulated clusters (made with --dev)", Kubernetes: "clusters on Kubernetes (made without --dev)",
}

// settlePlatform refuses a database of another platform, and marks a new one.
func (e *sqliteEngine) settlePlatform(ctx context.Context, c Config) error {
	if c.Platform == "" {
		return nil
	}
	var mark int
	if err := e.writer.QueryRowContext(ctx, "PRAGMA user_version").Scan(&mark); err != nil {
		return err
	}
	is, known := platformMarks[mark]
	switch {
	case known:
	case e.owner.making || c.Unmarked == "":
		is = c.Platform
	default:
		is = c.Unmarked
	}
	if is != c.Platform {
		return &ecp.Error{Code: ecp.CodeConflict, Op: opening, Message: fmt.Sprintf(
			"the database %s holds %s, and this daemon was started for %s; start it as before, or give another "+
				"--data-dir", e.file, platformWords[is], platformWords[c.Platform])}
	}
	if known {
		return nil
	}
	for n, p := range platformMarks {
		if p == is {
			_, err := e.writer.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", n))
			return err
		}
	}
	return nil
}

func (e *sqliteEngine) platform(ctx context.Context) (Platform, error) {
	var mark int
	err := e.writer.QueryRowContext(ctx, "PRAGMA user_version").Scan(&mark)
	return platformMarks[mark], err
}
