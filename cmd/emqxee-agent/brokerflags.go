package main

import (
	"cmp"
	"context"

	"github.com/spf13/pflag"
)

// defineBroker defines the flags about EMQX, named as the product's documents name
// them.
func (r *registration) defineBroker(flags *pflag.FlagSet) {
	b := &r.broker
	flags.StringVar(&b.Username, "emqx-dashboard-username", "", "user of EMQX's dashboard")
	defineSecret(flags, "emqx-dashboard-password", "password of that user")
	flags.StringVar(&b.DashboardURL, "emqx-dashboard-url", "", "address of EMQX's dashboard, as http://127.0.0.1:18083")
	flags.StringVar(&b.APIURL, "emqx-api-url", "",
		"address of EMQX's API where it is another, as http://127.0.0.1:8081 for 4.4")
	flags.StringVar(&b.APIKey, "emqx-api-key", "",
		"API key of EMQX 5, or application of 4.4; it is used before the user")
	defineSecret(flags, "emqx-api-secret", "secret of that key")
	flags.StringVar(&b.CAFile, "emqx-ca-file", "", "certificates (PEM) that EMQX's own may be signed by")
	defineSwitch(flags, &b.LogCollection, "emqx-log-collection-enabled", "let the agent read EMQX's log files")
	flags.StringVar(&b.LogDir, "emqx-log-collection-dir", "", "directory of EMQX's log files; empty: found by itself")
	defineSwitch(flags, &b.ReadOnly, "read-only", "refuse whatever would change something in EMQX through the agent")
}

// readBroker reads the secrets among them, and refuses what can never work. A
// password that is missing may still be found elsewhere.
func (r *registration) readBroker(ctx context.Context, secrets secretReader) (err error) {
	b := &r.broker
	if b.Password, err = secrets.read("emqx-dashboard-password"); err != nil {
		return err
	}
	if b.APISecret, err = secrets.read("emqx-api-secret"); err != nil {
		return err
	}
	for _, missing := range []struct {
		name, question string
		secret         *string
	}{{b.Username, "Password of the dashboard user " + b.Username + ":", &b.Password}, {b.APIKey,
		"Secret of the API key:",
		&b.APISecret}} {
		if missing.name != "" && *missing.secret == "" && r.atTerminal() {
			if *missing.secret, err = r.ask(ctx, missing.question, true); err != nil {
				return err
			}
		}
	}
	complete := *b
	if complete.Username != "" {
		complete.Password = cmp.Or(complete.Password, "to be found")
	}
	if complete.APIKey != "" {
		complete.APISecret = cmp.Or(complete.APISecret, "to be found")
	}
	if err := complete.Check(); err != nil {
		return fail(exitUsage, "", "%w", err)
	}
	return nil
}
