package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/sqlstore"
	"github.com/spf13/cobra"
)

// backupCommand copies the database while a daemon uses it.
func backupCommand(stdout, stderr io.Writer, environ []string) *cobra.Command {
	var c config
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "write the database to a new file, or with - to stdout, beside a running daemon",
		Long: "The copy is complete and as of one moment. It is checked before it gets its name, and\n" +
			"only its owner can read it. The daemon need not be stopped. With - it goes to stdout,\n" +
			"once it was checked, and what it holds is told on stderr; it needs its size in the data\n" +
			"directory meanwhile. The keys of secrets are not part of it: keep the file of\n" +
			"--secrets-key-file somewhere else.\n\n" +
			dataDirHelp,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := c.resolve(cmd, environ); err != nil {
				return err
			}
			if c.database != "" {
				return errOnServer("pg_dump --schema=openecp, or a base backup with its log")
			}
			if args[0] == "-" {
				return backupTo(cmd.Context(), c.dataDir, stdout, stderr)
			}
			copied, err := backup(cmd.Context(), c.dataDir, args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(stdout, "backup %s: %s\n", copied.File, contentOf(copied))
			return err
		},
	}
	c.define(cmd, "config", "data-dir", "database", "dev")
	return cmd
}

func backup(ctx context.Context, dataDir, file string) (sqlstore.Copied, error) {
	copied, err := sqlstore.Backup(ctx, dataDir, file)
	if errors.Is(err, ecp.ErrNotFound) {
		return copied, fmt.Errorf("%w; start ecpd on it once, or give --data-dir", err)
	}
	return copied, err
}

// backupTo writes a backup to stdout. The copy is made beside the database, where there is room
// for one in containers, too.
func backupTo(ctx context.Context, dataDir string, stdout, stderr io.Writer) (err error) {
	dir, err := os.MkdirTemp(dataDir, ".backup-")
	if errors.Is(err, fs.ErrNotExist) {
		_, err = backup(ctx, dataDir, "-") // says what is missing
		return err
	}
	if err != nil {
		return fmt.Errorf("back up the database: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	copied, err := backup(ctx, dataDir, filepath.Join(dir, "ecpd.db"))
	if err != nil {
		return err
	}
	f, err := os.Open(copied.File)
	if err != nil {
		return fmt.Errorf("back up the database: %w", err)
	}
	defer func() { _ = f.Close() }() // it is only read
	if _, err := io.Copy(stdout, f); err != nil {
		return fmt.Errorf("back up the database: %w", err)
	}
	_, err = fmt.Fprintf(stderr, "backup: %s\n", contentOf(copied))
	return err
}

// restoreCommand replaces the database by a backup.
func restoreCommand(stdout io.Writer, environ []string) *cobra.Command {
	var c config
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "replace the database by a backup",
		Long: "Stop the daemon first. The backup is checked, and the old database is kept beside it.\n" +
			"What was done since the backup is not in it: the daemon finds that at its next start,\n" +
			"writes nothing to what is newer, and a person decides.\n" +
			"Tokens and passwords are those of the backup, too.\n\n" +
			dataDirHelp,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := c.resolve(cmd, environ); err != nil {
				return err
			}
			if c.database != "" {
				return errOnServer("pg_restore, or a restore to a point in time")
			}
			return restore(cmd.Context(), c, args[0], stdout)
		},
	}
	c.define(cmd, "config", "data-dir", "database", "dev", "secrets-key-file")
	return cmd
}

// errOnServer says that a database on a server is not in a file.
func errOnServer(means string) error {
	return fmt.Errorf("the database is on a PostgreSQL server: use its own means, %s (docs/ha.md)", means)
}

func restore(ctx context.Context, c config, file string, stdout io.Writer) error {
	sealer, err := c.sealing()
	if err != nil {
		return err
	}
	copied, kept, err := sqlstore.Restore(ctx, file, c.dataDir)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("restored %s from %s: %s\n", copied.File, file, contentOf(copied))
	if kept != "" {
		text += "the database that was there is now " + kept + "\n"
	}
	if missing := missingKeys(sealer, copied.Keys); len(missing) > 0 && !c.dev {
		text += "the key " + listed(missing) + " is not configured: what it has encrypted cannot be read until it is " +
			"(--secrets-key-file)\n"
	}
	text += "at its next start the daemon finds what was done since, and leaves that alone until somebody decides\n"
	_, err = io.WriteString(stdout, text)
	return err
}

// missingKeys returns the keys of a backup that are not configured.
func missingKeys(sealer ecp.Sealer, ids []string) (missing []string) {
	ring, _ := sealer.(*ecp.KeyRing)
	for _, id := range ids {
		if ring == nil || !ring.Has(id) {
			missing = append(missing, id)
		}
	}
	return missing
}

// contentOf describes a copy in one line.
func contentOf(c sqlstore.Copied) string {
	text := fmt.Sprintf("%d clusters, %d KiB", c.Clusters, (c.Size+1023)/1024)
	if !c.LastChange.IsZero() {
		text += ", last change " + c.LastChange.Format(time.RFC3339)
	}
	if len(c.Keys) > 0 {
		text += ", secrets encrypted with the key " + listed(c.Keys)
	}
	return text
}

func listed(ids []string) string { return `"` + strings.Join(ids, `" and "`) + `"` }
