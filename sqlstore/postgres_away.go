package sqlstore

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/openecp/openecp/ecp"
)

// ErrAway is among the causes of the error that Open returns where the server of the
// database cannot be reached, or does not serve yet. The same call may succeed later without
// anybody having changed a setting; what was refused, such as a password, is not among it.
var ErrAway = errors.New("the server of the database is away")

// awayCodes are codes and classes of PostgreSQL's errors that end by themselves: it starts,
// stops or fails over, has no connection left, or takes no writes yet.
var awayCodes = map[string]bool{"57": true, "08": true, "53300": true, "25006": true}

// isAway reports whether an error ends without anybody having changed a setting.
func isAway(err error) bool {
	var said *pgconn.PgError
	var network net.Error
	var alert tls.AlertError
	switch {
	case errors.As(err, &said):
		return awayCodes[said.Code] || awayCodes[said.Code[:min(2, len(said.Code))]]
	case errors.As(err, &alert): // the server does not want this client's certificate, or its version of TLS
		return false
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network):
		return true
	}
	// Of several hosts none takes writes, as during a fail-over.
	return isClosed(err) || errors.Is(err, pgconn.ErrReadOnlyConnection)
}

// opened puts an error of opening the database into words, and adds ErrAway where it is that.
// ctx is that of who opens: where it has ended, the error is its.
func (e *pgEngine) opened(ctx context.Context, err error) error {
	away := ctx.Err() == nil && isAway(err)
	err = e.fault(opening, err)
	if !away {
		return err
	}
	out := &ecp.Error{Code: ecp.CodeUnavailable, Op: opening, Cause: errors.Join(ErrAway, err),
		Message: "the database " + e.at + " did not answer in time"}
	var known *ecp.Error
	if errors.As(err, &known) {
		out.Message = known.Message
	}
	return out
}
