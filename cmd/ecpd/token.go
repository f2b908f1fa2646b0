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
	"github.com/openecp/openecp/internal/atomicfile"
)

// bootstrap sees to it that somebody can call the API: the first token comes
// from the environment or, with --dev, is minted.
func bootstrap(ctx context.Context, c config, store ecp.Store, m *ecp.Manager, stdout io.Writer, log *slog.Logger) error {
	some, err := hasToken(ctx, store)
	switch {
	case err != nil:
		return fmt.Errorf("read the tokens: %w", err)
	case c.dev && some:
		return checkDevToken(ctx, c, m, log)
	case c.dev:
		return mintDevToken(ctx, c, m, stdout, log)
	case c.token != "":
		stored, err := m.Bootstrap(ctx, string(c.token))
		if err == nil && !stored {
			log.InfoContext(ctx, "the bootstrap token is not stored: this installation has tokens or users already, and one that was deleted does not come back; leave it out",
				"setting", c.at("bootstrap-token"))
		}
		return err
	case !some:
		log.WarnContext(ctx, "there is no API token; only users with a password can call the API. ecpd token create makes one while no daemon runs, and a start of a new installation with the variable set does",
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

// mintDevToken makes the token of a simulated fleet, keeps it in a file of its
// user's own and prints it, this once. The file comes first: a start that was
// cut short in between takes it up.
func mintDevToken(ctx context.Context, c config, m *ecp.Manager, stdout io.Writer, log *slog.Logger) error {
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
	stored, err := m.Bootstrap(ctx, token)
	if err != nil {
		return err
	}
	if !stored {
		log.WarnContext(ctx, "all tokens were deleted, so none is printed: log in as a user, or make one with ecpd token create --dev while no daemon runs")
		return os.Remove(file)
	}
	_, err = fmt.Fprintf(stdout, "ecpd token %s kept in %s\n", token, file)
	return err
}

// checkDevToken warns about a token file that does not lead in any more; only
// the hash of the token is stored, so that it cannot be written anew.
func checkDevToken(ctx context.Context, c config, m *ecp.Manager, log *slog.Logger) error {
	token, err := readDevToken(devTokenFile(c))
	if err == nil {
		_, err = m.Authenticate(ctx, token)
	}
	if err != nil {
		log.WarnContext(ctx, "the token file does not hold the token of this data directory; to begin anew, remove the directory", "file", devTokenFile(c), "error", err)
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
