package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/sqlstore"
	"github.com/spf13/cobra"
)

// migrateCommand copies a database to another engine.
func migrateCommand(stdout io.Writer, environ []string) *cobra.Command {
	var c config
	cmd := &cobra.Command{
		Use:   "migrate FROM TO",
		Short: "copy the database to an empty one, between SQLite and PostgreSQL",
		Long: "FROM and TO are each a data directory, or the URL of a PostgreSQL database without a\n" +
			"password (--database-password-file, or PGPASSWORD). Stop the daemon first. The copy is\n" +
			"compared with its source, record by record, before it is kept; the source is not changed.\n" +
			"Then start the daemon with --database, or with --data-dir alone.\n" +
			"Keys of secrets, certificates and the clusters of --dev are in files of the data\n" +
			"directory, and stay there.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageError{errors.New("migrate takes two databases: FROM TO")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := c.resolve(cmd, environ); err != nil {
				return err
			}
			var sides [2]sqlstore.Config
			for i, arg := range args {
				side, err := c.sideOf(arg)
				if err != nil {
					return usageError{err}
				}
				sides[i] = side
			}
			moved, err := sqlstore.Migrate(cmd.Context(), sides[0], sides[1])
			if errors.Is(err, sqlstore.ErrHeld) {
				return fmt.Errorf("%w; stop the daemon first", err)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(stdout, "copied %d records, of which %d clusters; SHA-256 of both sides %x\n",
				moved.Records, moved.Clusters, moved.Hash)
			return err
		},
	}
	c.define(cmd, "config", "database-password-file")
	return cmd
}

// sideOf reads an argument of migrate.
func (c config) sideOf(arg string) (sqlstore.Config, error) {
	c.database, c.dataDir = "", ""
	if !strings.Contains(arg, "://") {
		if c.dataDir = arg; arg == "" {
			return sqlstore.Config{}, errors.New("a data directory has a name")
		}
		c.databasePasswordFile = ""
		return c.storeConfig(nil), nil
	}
	c.database = arg
	var wrong error
	c.checkDatabase(func(_, format string, args ...any) {
		wrong = errors.Join(wrong, &ecp.Error{Code: ecp.CodeInvalid,
			Message: "the URL " + fmt.Sprintf(format, args...)})
	})
	if wrong != nil {
		return sqlstore.Config{}, wrong
	}
	return c.storeConfig(nil), nil
}
