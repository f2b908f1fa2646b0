package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/openecp/openecp/ecp"
	"github.com/openecp/openecp/ecp/fleet"
	"github.com/openecp/openecp/internal/atomicfile"
)

// bootstrap makes sure that somebody can call the API. The first token comes from the
// environment or, with --dev, is made here.
func bootstrap(
	ctx context.Context, c config, store ecp.Store, m *fleet.Manager, stdout io.Writer, log *slog.Logger,
) error {
	some, err := hasToken(ctx, store)
	switch {
	case err != nil:
		return fmt.Errorf("read the tokens: %w", err)
	case c.dev && some:
		return checkDevToken(ctx, c, m, log)
	case c.dev:
		return makeDevToken(ctx, c, m, stdout, log)
	case c.token != "":
		stored, err := m.Accounts.Bootstrap(ctx, string(c.token))
		if err == nil && !stored {
			log.InfoContext(ctx, "the bootstrap token is not stored, because there are tokens or users already "+
				"(a token that was deleted does not come back); remove the setting", "setting", c.at("bootstrap-token"))
		}
		return err
	case !some:
		when := "while no daemon runs"
		if c.database != "" {
			when = "at any time"
		}
		log.WarnContext(ctx, "there is no API token, so only users with a password can call the API; ecpd token "+
			"create makes one "+when+", and the first start of an installation with the variable set does",
			"variable", envToken)
	}
	return nil
}

func hasToken(ctx context.Context, store ecp.Store) (some bool, err error) {
	err = store.Read(ctx, func(tx ecp.Tx) error {
		for _, err := range ecp.List[ecp.Token](tx, ecp.Query{Limit: 1}) {
			some = err == nil
			return err
		}
		return nil
	})
	return some, err
}

// makeDevToken makes the token of a simulated fleet, writes it to a file that only its
// user can read, and prints it, this once. The file is written first, so that the next
// start can go on after a crash.
func makeDevToken(ctx context.Context, c config, m *fleet.Manager, stdout io.Writer, log *slog.Logger) error {
	file := devTokenFile(c)
	token := string(c.token)
	if token == "" {
		kept, err := readDevToken(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		token = kept
	}
	if token == "" {
		b := make([]byte, 16)
		rand.Read(b) // never fails: the program ends instead
		token = hex.EncodeToString(b)
	}
	if err := atomicfile.Write(file, []byte(token+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep the token: %w", err)
	}
	stored, err := m.Accounts.Bootstrap(ctx, token)
	if err != nil {
		return err
	}
	if !stored {
		log.WarnContext(ctx, "all tokens were deleted, so none is printed: log in as a user, "+
			"or make one with ecpd token create --dev while no daemon runs")
		return os.Remove(file)
	}
	_, err = fmt.Fprintf(stdout, "ecpd token %s kept in %s\n", token, file)
	return err
}

// checkDevToken warns about a file whose token is not valid. Only the hash of the token
// is stored, so the file cannot be written again.
func checkDevToken(ctx context.Context, c config, m *fleet.Manager, log *slog.Logger) error {
	token, err := readDevToken(devTokenFile(c))
	if err == nil {
		_, err = m.Accounts.Authenticate(ctx, token)
	}
	if err != nil {
		log.WarnContext(ctx, "the token file does not hold the token of this data directory; "+
			"to begin anew, remove the directory", "file", devTokenFile(c), "error", err)
	}
	return nil
}

func devTokenFile(c config) string { return filepath.Join(c.dataDir, "token") }

func readDevToken(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(b))
	if why := wrongToken(token); why != "" || token == "" {
		return "", fmt.Errorf("the token in %s cannot be used; remove the file", file)
	}
	return token, nil
}
