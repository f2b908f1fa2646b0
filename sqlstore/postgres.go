package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/openecp/openecp/ecp"
)

const (
	pgListFrom = "SELECT " + recordColumns + " FROM openecp.records WHERE kind = $1 AND key > $2"
	pgListEnd  = " ORDER BY key LIMIT $3"
	// A constraint's refusal would end the transaction: writes look before. Nobody
	// else writes meanwhile.
	pgNameFree = "NOT EXISTS (SELECT FROM openecp.records WHERE kind = $1::text AND project = $3::text " +
		"AND name = $4::text AND name <> '' AND key <> $2::text)"
	pgInsert = "INSERT INTO openecp.records (" + recordColumns + ") SELECT $1::text, $2::text, $3::text, $4::text, " +
		"$5::text, $6::text, $7::bigint, $8::bigint, $9::text WHERE " + pgNameFree + " ON CONFLICT (kind, key) DO "
	pgSetAll = "SET project = $3::text, name = $4::text, parent = $5::text, state = $6::text, version = $7::bigint, " +
		"at = $8::bigint, payload = $9::text"
)

// pgTexts is the SQL of every statement. Names are whole, so that nothing depends on
// a search path, which a pooler does not keep.
var pgTexts = [statements]string{
	getRecord:    "SELECT " + recordColumns + " FROM openecp.records WHERE kind = $1 AND key = $2",
	listAll:      pgListFrom + pgListEnd,
	listProject:  pgListFrom + " AND project = $4 AND project <> ''" + pgListEnd,
	listParent:   pgListFrom + " AND parent = $4 AND parent <> ''" + pgListEnd,
	listBoth:     pgListFrom + " AND project = $4 AND parent = $5 AND parent <> ''" + pgListEnd,
	insertRecord: pgInsert + "NOTHING",
	updateRecord: "UPDATE openecp.records " + pgSetAll + " WHERE kind = $1::text AND key = $2::text AND " +
		"version = $10::bigint AND " + pgNameFree,
	upsertRecord: pgInsert + "UPDATE " + pgSetAll,
	deleteRecord: "DELETE FROM openecp.records WHERE kind = $1 AND key = $2",
	insertChange: "INSERT INTO openecp.changes (" + changeColumns + ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, " +
		"$10)",
	lastSeq:     "SELECT seq FROM openecp.store",
	firstSeq:    "SELECT min(seq) FROM openecp.changes",
	listChanges: "SELECT " + changeColumns + " FROM openecp.changes WHERE seq > $1 ORDER BY seq LIMIT $2",
	firstSince:  "SELECT seq FROM openecp.changes WHERE at >= $1 ORDER BY seq LIMIT 1",
	listEvery: "SELECT " + recordColumns + " FROM openecp.records WHERE (kind, key) > ($1, $2) ORDER BY kind, key " +
		"LIMIT $3",
	purgeChanges: "DELETE FROM openecp.changes WHERE seq IN (SELECT seq FROM openecp.changes WHERE seq < $1 " +
		"ORDER BY seq LIMIT $2)",
}

// What is asked of the one row of openecp.store.
const (
	// pgMark is which state of a database the numbers of changes are of. It is
	// another one after a fail-over and after a restore to a point in time (the
	// timeline), in a server that was made anew (the system), and where a dump was
	// put back (the table): changes may then be missing whose numbers somebody has
	// seen, and which are given out again.
	pgMark = "(SELECT system_identifier FROM pg_control_system()) || '/' || " +
		"left(pg_walfile_name(pg_current_wal_lsn()), 8) || '/' || 'openecp.store'::regclass::oid"
	// pgBegin locks the row, so that whoever writes is alone and sees the last commit.
	// A process that is stopped inside of a transaction does not hold the others up:
	// the server ends that.
	pgBegin = "SELECT seq, mark, " + pgMark + ", holder, needs, " +
		"set_config('idle_in_transaction_session_timeout', $1, true), " +
		"set_config('statement_timeout', $2, true) FROM openecp.store FOR UPDATE"
	pgState  = "SELECT seq, mark, " + pgMark + ", holder, needs FROM openecp.store"
	pgNumber = "UPDATE openecp.store SET seq = $1, mark = $2"
	pgForget = "DELETE FROM openecp.changes"
	// A hold that processes share is taken again by each of them, and given free by
	// the last one: no record of a daemon is left then. Where it was given free too
	// early, those that are left take it again.
	pgHold = "UPDATE openecp.store SET holder = $1, host = $2, renewed = now(), " +
		"since = CASE holder WHEN $1 THEN since ELSE now() END " +
		"WHERE holder IN ('', $1) OR renewed < now() - make_interval(secs => $3)"
	pgHolder  = "SELECT holder, host, since, renewed FROM openecp.store"
	pgRenew   = "UPDATE openecp.store SET holder = $1, renewed = now() WHERE holder = $1 OR $2 AND holder = ''"
	pgRelease = "UPDATE openecp.store SET holder = '' WHERE holder = $1 AND NOT ($2 AND " +
		"EXISTS (SELECT FROM openecp.records WHERE kind = 'daemon'))"
)

// takenBy finds nothing: statements write no row where a constraint would refuse it.
func (e *pgEngine) takenBy(error) taken { return notTaken }

// pgAdvice is what a person does about an error of the server, by the class of its
// code or the whole code (PostgreSQL's documentation, appendix A).
var pgAdvice = map[string]struct {
	code   ecp.Code
	advice string
}{
	"53100": {ecp.CodeUnavailable, "its disk is full; nothing was written, an operator has to free some space"},
	"53300": {ecp.CodeUnavailable, "it has no connection left; raise max_connections there, or let each " +
		"process open fewer (--database-connections)"},
	"57014": {ecp.CodeUnavailable, "it took longer than statement_timeout there, or somebody cancelled it"},
	"57":    {ecp.CodeUnavailable, "it is being stopped, started or taken over; it is tried again"},
	"08":    {ecp.CodeUnavailable, "the connection to it was lost"},
	"28":    {ecp.CodeUnavailable, "it does not let this user in; check user, password and pg_hba.conf"},
	"3D000": {ecp.CodeUnavailable, "there is no database of this name; create it (CREATE DATABASE)"},
	"25006": {ecp.CodeUnavailable, "it takes no writes: it is a standby, or default_transaction_read_only is on; " +
		"name the primary, or all hosts"},
	"42501": {ecp.CodeUnavailable, "this user may not do that; let it own the schema openecp, or grant it CREATE on " +
		"the database"},
	"42P01": {ecp.CodeUnavailable, "the tables of the schema openecp are not there; put them back, or start anew " +
		"on an empty database"},
	"55P03": {ecp.CodeUnavailable, "somebody holds its tables locked"},
	"40":    {ecp.CodeUnavailable, "the transaction did not go through; try it again"},
	"22021": {ecp.CodeInvalid, "text must be valid UTF-8 without zero bytes"},
	"25P03": {ecp.CodeUnavailable, "a transaction stood still for too long and was ended"},
	"XX":    {ecp.CodeInternal, "it reports that it is damaged; put a backup in its place"},
}

// fault puts an error of PostgreSQL into words. Tenants read the words, so that the
// address is in the cause only, but where the store is opened.
func (e *pgEngine) fault(op string, err error) error {
	var known *ecp.Error
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &known) {
		return err
	}
	name, cause := "the database", fmt.Errorf("%s: %w", e.at, err)
	if op == opening {
		name, cause = "the database "+e.at, err
	}
	out := &ecp.Error{Code: ecp.CodeInternal, Op: op, Cause: cause,
		Message: name + " did not do as it was told; the cause is logged"}
	var said *pgconn.PgError
	var network net.Error
	var connecting *pgconn.ConnectError
	var reading noCredentials
	switch {
	case errors.As(err, &said):
		out.Message = name + " says: " + said.Message
		for _, class := range []string{said.Code, said.Code[:min(2, len(said.Code))]} {
			if a, ok := pgAdvice[class]; ok {
				out.Code, out.Message = a.code, name+": "+a.advice
				if op == opening {
					out.Message += " (it says: " + said.Message + ")"
				}
				break
			}
		}
	case errors.As(err, &reading):
		out.Code, out.Message = ecp.CodeUnavailable, name+" cannot be connected to: its password or "+
			"certificates cannot be read; the cause is logged"
		if op == opening {
			out.Message = name + " cannot be connected to: " + string(reading)
		}
	case errors.Is(err, pgconn.ErrReadOnlyConnection):
		out.Code, out.Message = ecp.CodeUnavailable, name+": "+pgAdvice["25006"].advice
	case errors.As(err, &connecting), errors.As(err, &network), isClosed(err):
		out.Code, out.Message = ecp.CodeUnavailable, name+" cannot be reached; nothing was written unless it was "+
			"answered so, and it is tried again"
		if op == opening {
			out.Message = name + " cannot be reached: " + reason(err)
		}
	case op == opening:
		out.Message = name + " cannot be opened: " + err.Error()
	}
	return out
}

// isClosed reports whether an error is a connection that has ended.
func isClosed(err error) bool {
	return pgconn.SafeToRetry(err) || errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "EOF") ||
		strings.Contains(err.Error(), "conn closed")
}

// reason is the last of the causes, which says what happened; those before name the
// user, and every host and name that was tried.
func reason(err error) string {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
