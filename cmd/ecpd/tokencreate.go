package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/ecp/tenancy"
	"github.com/openecp/openecp/sqlstore"
	"github.com/spf13/cobra"
)

// tokenRequest holds the flags of `ecpd token create`.
type tokenRequest struct {
	name, role, org, project, expires string
}

// tokenCommand makes API tokens without the API.
func tokenCommand(stdout, stderr io.Writer, environ []string) *cobra.Command {
	var c config
	var r tokenRequest
	create := &cobra.Command{
		Use:   "create --role ROLE [--org ORG | --project ORG/PROJECT]",
		Short: "make an API token in the database and print it, this once",
		Long: "In a data directory the token works from the next start of the daemon on; while a\n" +
			"daemon runs on it, its API makes tokens: POST /api/v1/tokens. In a database of\n" +
			"PostgreSQL (--database) it works at once, also while daemons run.\n\n" +
			dataDirHelp,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := c.resolve(cmd, environ); err != nil {
				return err
			}
			return createToken(cmd.Context(), c, r, stdout, stderr)
		},
	}
	c.define(create, "config", "data-dir", "database", "database-password-file", "dev")
	flags := create.Flags()
	flags.StringVar(&r.role, "role", "", "`role`: system, org-admin, project-admin or user")
	flags.StringVar(&r.org, "org", "", "`organisation` that an org-admin reaches")
	flags.StringVar(&r.project, "project", "", "`org/project` that a project-admin or user reaches")
	flags.StringVar(&r.expires, "expires", "",
		"`end` of the token: a time such as 2027-01-02T15:04:05Z, or a time from now such as 720h (default never)")
	flags.StringVar(&r.name, "name", "command-line", "`name` under which the token acts")
	parent := &cobra.Command{Use: "token", Short: "make API tokens without a daemon", Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return usageError{errors.New("token takes a command: create")} }}
	parent.AddCommand(create)
	return parent
}

// request makes the Manager's request from the flags.
func (r tokenRequest) request(now time.Time) (tenancy.TokenRequest, error) {
	out := tenancy.TokenRequest{Name: r.name, Grant: ecp.Grant{Role: ecp.Role(r.role), Org: r.org, Project: r.project}}
	if r.role == "" {
		return out, usageError{errors.New("--role is missing: system, org-admin, project-admin or user")}
	}
	if r.expires == "" {
		return out, nil
	}
	if span, err := time.ParseDuration(r.expires); err == nil {
		if span <= 0 {
			return out, usageError{fmt.Errorf("--expires %s lies in the past", r.expires)}
		}
		out.ExpiresAt = now.Add(span)
		return out, nil
	}
	at, err := time.Parse(time.RFC3339, r.expires)
	if err != nil {
		return out, usageError{fmt.Errorf("--expires %q is neither a time such as 2027-01-02T15:04:05Z "+
			"nor a duration such as 720h", r.expires)}
	}
	out.ExpiresAt = at
	return out, nil
}

// asFlags makes an error about the request name the flags instead of its fields.
func asFlags(err error) error {
	var e *ecp.Error
	if !errors.As(err, &e) || len(e.Fields) == 0 {
		return err
	}
	var wrong []string
	for _, f := range e.Fields {
		name := strings.TrimPrefix(f.Field, "grant.")
		if name == "expiresAt" {
			name = "expires"
		}
		wrong = append(wrong, "--"+name+" "+f.Message)
	}
	return errors.New(strings.Join(wrong, "; "))
}

// createToken stores a token and prints it: the secret alone on stdout, for scripts, and
// a description on stderr.
func createToken(ctx context.Context, c config, r tokenRequest, stdout, stderr io.Writer) (err error) {
	request, err := r.request(time.Now())
	if err != nil {
		return err
	}
	if database, _ := sqlstore.Files(c.dataDir); c.database == "" && !isThere(database) {
		return fmt.Errorf("there is no database in the data directory %s yet; start ecpd on it once, or give "+
			"--data-dir",
			c.dataDir)
	}
	database := c.storeConfig(slog.New(slog.DiscardHandler))
	database.Postgres.Beside = true // one record is added, beside a daemon
	store, err := sqlstore.Open(ctx, database)
	if errors.Is(err, ecp.ErrConflict) {
		return fmt.Errorf("a daemon runs on the data directory %s; let its API make the token: POST /api/v1/tokens",
			c.dataDir)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	m, err := fleet.New(ctx, fleet.Config{Store: store})
	if err != nil {
		return err
	}
	ctx = ecp.WithOrigin(ecp.WithActor(ctx, ecp.System), ecp.Origin{RemoteAddress: "ecpd token create"})
	token, err := m.Accounts.CreateToken(ctx, request)
	if err != nil {
		return asFlags(err)
	}
	until := "until it is deleted"
	if !token.ExpiresAt.IsZero() {
		until = "until " + token.ExpiresAt.Format(time.RFC3339)
	}
	where := ""
	if reach := token.Where(); reach != "" {
		where = " of " + reach
	}
	fmt.Fprintf(stderr, "ecpd: token %s acts as %q with the role %s%s, %s; it is not shown again\n",
		token.ID, token.Name, token.Role, where, until)
	_, err = fmt.Fprintln(stdout, token.Secret)
	return err
}
