package sqlstore

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/openecp/openecp/ecp"
)

// parseURL reads the URL of a database, and the files that it names. What it says of an
// error has no part of the URL in it where that cannot be read: nobody knows then which part
// is the password.
func parseURL(from string) (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(from)
	if err != nil {
		return nil, &ecp.Error{Code: ecp.CodeInvalid, Op: opening, Message: wrongURL(from, err)}
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 5 * time.Second
	}
	if c.ValidateConnect == nil { // of several hosts the primary, also after a fail-over
		c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if !strings.Contains(from, "default_query_exec_mode") {
		c.DefaultQueryExecMode = pgx.QueryExecModeExec // prepares nothing: a pooler may give another connection
	}
	if _, named := c.RuntimeParams["application_name"]; !named {
		c.RuntimeParams["application_name"] = "openecp"
	}
	return c, nil
}

// wrongURL tells a person what is wrong with the URL of a database, by pgx's error.
func wrongURL(from string, err error) string {
	const form = "the URL of the database cannot be read; it is as " +
		"postgres://USER@HOST:PORT/NAME?sslmode=verify-full, with %-escapes for special characters"
	const before = "`: " // as pgx has it: cannot parse `URL`: what is wrong
	u, bad := url.Parse(from)
	text := err.Error()
	at := strings.LastIndex(text, before)
	if bad != nil || !strings.HasPrefix(u.Scheme, "postgres") || at < 0 {
		return form
	}
	what := text[at+len(before):]
	if strings.Contains(what, "sslmode is invalid") {
		return "the URL of the database has an unknown sslmode; verify-full checks who the server is"
	}
	return "what the URL of the database says cannot be used: " + what
}

// credentials sees to it that each connection is made with the password and the certificates
// that are there by then: they are replaced while connections are open.
func (e *pgEngine) credentials(from string) func(context.Context, *pgx.ConnConfig) error {
	return func(ctx context.Context, c *pgx.ConnConfig) error {
		now, err := parseURL(from)
		if err != nil {
			return noCredentials(ecp.MessageOf(err))
		}
		if e.Password != nil {
			if now.Password, err = e.Password(ctx); err != nil {
				return noCredentials("its password cannot be had: " + err.Error())
			}
		}
		*c = *now
		return nil
	}
}

// noCredentials says why what connections are made with cannot be read.
type noCredentials string

func (n noCredentials) Error() string { return string(n) }

func hosts(c *pgx.ConnConfig) string {
	all := []string{c.Host + ":" + strconv.Itoa(int(c.Port))}
	for _, f := range c.Fallbacks {
		if at := f.Host + ":" + strconv.Itoa(int(f.Port)); at != all[len(all)-1] {
			all = append(all, at)
		}
	}
	return strings.Join(all, ", ")
}
