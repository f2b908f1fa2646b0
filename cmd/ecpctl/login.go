package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
	"github.com/spf13/cobra"
)

// loginFlags say how to log in.
type loginFlags struct {
	user, name       string
	token, fromStdin bool
}

func loginCommand(a *app) *cobra.Command {
	var f loginFlags
	cmd := &cobra.Command{
		Use: "login [SERVER]", Short: "log in to a server, by password or token, and keep a context of it",
		Long: "login asks for a password, or with --token for a token, and keeps what the server answers in a\n" +
			"context, which is the current one from then on. --token-file keeps the name of a file instead of a token.",
		Example: "  ecpctl login https://ecp.example.com --user ann\n" +
			"  ecpctl login https://ecp.example.com --token --stdin --name ci <token",
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				a.flags.server = args[0]
			}
			return a.login(cmd.Context(), f)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.user, "user", "u", "", "user to log in as; asked for when left out")
	flags.StringVar(&f.name, "name", "", "name of the context; the server's host when left out")
	flags.BoolVar(&f.token, "token", false, "log in with a token instead of a password")
	flags.BoolVar(&f.fromStdin, "stdin", false, "read the password or token from stdin")
	return cmd
}

func (a *app) login(ctx context.Context, f loginFlags) error {
	one, err := a.here()
	if err != nil {
		return err
	}
	one.Token, one.ExpiresAt = "", time.Time{}
	if one.TokenFile = a.flags.tokenFile; one.TokenFile != "" {
		if one.TokenFile, err = filepath.Abs(one.TokenFile); err != nil {
			return err
		}
	}
	if one.CAFile != "" {
		if one.CAFile, err = filepath.Abs(one.CAFile); err != nil {
			return err
		}
	}
	if err := a.authenticate(ctx, f, &one); err != nil {
		return err
	}
	token := client.Token(one.Token)
	if one.TokenFile != "" {
		token = func(context.Context) (string, error) { return readToken(one.TokenFile) }
	}
	c, err := a.clientOf(one, token)
	if err != nil {
		return err
	}
	me, err := c.Me(ctx)
	if err != nil {
		return err
	}
	one.User = me.Name
	one.Name = cmp.Or(f.name, a.flags.context, one.Name, hostOf(one.Server))
	err = a.changeConfig(func(file *configFile) error {
		file.put(one)
		file.Current = one.Name
		return nil
	})
	if err == nil {
		a.tell("logged in to %s as %s; the current context is %s", one.Server, me.Name, one.Name)
	}
	return err
}

// authenticate gets a token for a password, or asks for one.
func (a *app) authenticate(ctx context.Context, f loginFlags, one *contextOne) error {
	ask := func(what string) (string, error) {
		switch {
		case f.fromStdin:
			return a.readLine(ctx)
		case !a.asks:
			return "", errNotAsked(what)
		}
		return a.promptSecret(ctx, a.inLanguage(strings.ToUpper(what[:1])+what[1:]))
	}
	if one.TokenFile != "" {
		return nil
	}
	if f.token {
		token, err := ask("token")
		one.Token = strings.TrimSpace(token)
		return err
	}
	if f.user == "" {
		if f.fromStdin || !a.asks {
			return usagef("--user says who logs in")
		}
		var err error
		if f.user, err = a.prompt(ctx, a.inLanguage(askUser)); err != nil {
			return err
		}
	}
	password, err := ask("password")
	if err != nil {
		return err
	}
	c, err := a.clientOf(*one, nil)
	if err != nil {
		return err
	}
	s, err := c.Login(ctx, f.user, password)
	one.Token, one.ExpiresAt = s.Token, s.ExpiresAt
	var p *client.Problem
	if errors.As(err, &p) && p.Unauthorized() { // the usual advice is to log in
		return fmt.Errorf("log in as %s: %w", f.user, deniedError{p})
	}
	return err
}

// deniedError is a refusal whose advice is not to log in.
type deniedError struct{ p *client.Problem }

func (e deniedError) Error() string { return e.p.Error() }

func (e deniedError) As(target any) bool {
	p, ok := target.(**client.Problem)
	if ok {
		denied := *e.p
		denied.Status, denied.Code = 403, ecp.CodeDenied
		*p = &denied
	}
	return ok
}

func hostOf(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return server
	}
	return u.Host
}

// changeConfig reads the file of contexts, changes it and writes it.
func (a *app) changeConfig(change func(*configFile) error) error {
	name, err := configName(a.flags.config, a.env)
	if err != nil {
		return err
	}
	file, _, err := readConfig(name)
	if err != nil {
		return err
	}
	if err := change(&file); err != nil {
		return err
	}
	return writeConfig(name, file)
}

func logoutCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "end the session of the context, and forget its token", Args: takes(0, 0),
		Example: "  ecpctl logout\n  ecpctl logout --context ci",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, one, err := a.client()
			if err != nil {
				return err
			}
			me, err := c.Me(cmd.Context())
			if err == nil && strings.HasPrefix(me.Credential, "session/") {
				err = c.Logout(cmd.Context())
			}
			var p *client.Problem
			ended := errors.Is(err, errNoToken) || errors.As(err, &p) && p.Unauthorized()
			if err != nil && !ended {
				return err
			}
			if one.Name == "" {
				return nil
			}
			err = a.changeConfig(func(file *configFile) error {
				if kept := file.find(one.Name); kept != nil {
					kept.Token, kept.TokenFile, kept.User = "", "", ""
				}
				return nil
			})
			if err == nil {
				a.tell("logged out of %s", one.Server)
			}
			return err
		},
	}
}

func whoamiCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "whoami", Short: "say who you are to the server, and what you may do", Args: takes(0, 0),
		Example: "  ecpctl whoami\n  ecpctl whoami -o json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, one, err := a.client()
			if err != nil {
				return err
			}
			var me object
			if err := get(cmd.Context(), c, "/api/v1/me", &me); err != nil {
				return err
			}
			return a.printAnswer("name", me, func() error {
				var m client.Me
				if err := me.decode(&m); err != nil {
					return err
				}
				fmt.Fprintf(a.out, "%s at %s\n", m.Name, one.Server)
				for _, g := range m.Grants {
					fmt.Fprintln(a.out, "  "+string(g.Role)+" "+cmp.Or(g.Project, g.Org, "of everything"))
				}
				return nil
			})
		},
	}
}
