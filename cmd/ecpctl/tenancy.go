package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/openecp/openecp/client"
	"github.com/spf13/cobra"
)

var quotaKind = kind{key: "of", columns: []column{
	{head: "OF", path: "of"}, {head: "CONNECTIONS", path: "usedConnections", show: ofQuota},
}}

// ofQuota shows what is booked of a quota; 0 is none.
func ofQuota(_ *app, o object, path string) string {
	if o.text("connections") == "0" {
		return o.text(path) + "/unlimited"
	}
	return o.text(path) + "/" + o.text("connections")
}

// quotaCommand shows and changes the quota of an organisation or a project.
func quotaCommand(a *app, k kind, path string) *cobra.Command {
	var most int
	argument := strings.ToUpper(k.name)
	name := "acme"
	if k.name == kindProject {
		argument, name = "ORG/PROJECT", "acme/shops"
	}
	cmd := &cobra.Command{
		Use: "quota " + argument, Args: takes(1, 1), ValidArgsFunction: a.names(k),
		Short:   "show how many connections may be booked there, and are; --connections changes it",
		Example: fmt.Sprintf("  %s quota %s\n  %s quota %s --connections 50000", path, name, path, name),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, _, ok := cutProject(args[0]); k.name == kindProject && !ok {
				return usagef("a project is ORG/PROJECT, not %q", args[0])
			}
			c, _, err := a.client()
			if err != nil {
				return err
			}
			var o object
			at := k.item(args[0]) + "/quota"
			if err := get(cmd.Context(), c, at, &o); err != nil {
				return err
			}
			if cmd.Flags().Changed("connections") {
				r := client.Request{Method: http.MethodPatch, Path: at, Body: map[string]int{"connections": most},
					If: revision(o), Keyless: true}
				if _, err := c.Do(cmd.Context(), r, &o); err != nil {
					return err
				}
			}
			return a.printOne(quotaKind, o)
		},
	}
	cmd.Flags().IntVar(&most, "connections", 0, "how many may be booked; 0 = no limit")
	return cmd
}

func unlockCommand(a *app) *cobra.Command {
	var address string
	cmd := &cobra.Command{
		Use: "unlock NAME", Short: "forget the wrong passwords that were tried under a user's name", Args: takes(1, 1),
		Long: "unlock lets a user log in at once again after wrong passwords. While somebody goes on guessing,\n" +
			"--address names where the user logs in from: for 30 days, what is guessed elsewhere does not touch that.",
		Example: "  ecpctl user unlock ann --address 192.0.2.7", ValidArgsFunction: a.names(kindOf(kindUser)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, _, err := a.client()
			if err != nil {
				return err
			}
			r := client.Request{Method: http.MethodPost, Path: kindOf(kindUser).item(args[0]) + "/unlock",
				Query: url.Values{}}
			if address != "" {
				r.Query.Set("address", address)
			}
			if _, err := c.Do(cmd.Context(), r, nil); err != nil {
				return err
			}
			a.tell("unlocked user %s", args[0])
			return nil
		},
	}
	cmd.Flags().StringVar(&address, "address", "", "IP address that the user logs in from")
	return cmd
}

func passwordCommand(a *app) *cobra.Command {
	var fromStdin bool
	cmd := &cobra.Command{
		Use: "password", Short: "change your own password", Args: takes(0, 0),
		Long: "password asks for your password and for the new one. Every session of yours ends; ecpctl logs in\n" +
			"again and keeps that in the context.",
		Example: "  ecpctl password\n  printf '%s\\n' \"$OLD\" \"$NEW\" | ecpctl password --stdin",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.changePassword(cmd.Context(), fromStdin)
		},
	}
	cmd.Flags().BoolVar(&fromStdin, "stdin", false,
		"read two lines from stdin: the password until now, and the new one")
	return cmd
}

func (a *app) changePassword(ctx context.Context, fromStdin bool) error {
	c, one, err := a.client()
	if err != nil {
		return err
	}
	me, err := c.Me(ctx)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(me.Credential, "session/") {
		return usagef("you are %s: only who is logged in with a password has one to change", me.Name)
	}
	was, will, err := a.passwords(ctx, fromStdin)
	if err != nil {
		return err
	}
	err = c.ChangePassword(ctx, was, will)
	var p *client.Problem
	if errors.As(err, &p) && p.Unauthorized() { // the usual advice is to log in
		return deniedError{p}
	}
	if err != nil {
		return err
	}
	a.tell("changed the password of %s; every session has ended", me.Name)
	if one.Name == "" || one.TokenFile != "" || a.env("ECPCTL_TOKEN") != "" {
		return nil
	}
	s, err := c.Login(ctx, me.Name, will)
	if err != nil {
		return fmt.Errorf("log in again: %w", err)
	}
	return a.changeConfig(func(file *configFile) error {
		if kept := file.find(one.Name); kept != nil {
			kept.Token, kept.ExpiresAt = s.Token, s.ExpiresAt
		}
		return nil
	})
}

// passwords returns the password until now and the new one.
func (a *app) passwords(ctx context.Context, fromStdin bool) (was, will string, err error) {
	if fromStdin {
		text, err := unless(ctx, func() (string, error) {
			b, err := io.ReadAll(io.LimitReader(a.in, maxLine))
			return string(b), err
		})
		if err != nil {
			return "", "", err
		}
		lines := bufio.NewScanner(strings.NewReader(text))
		if lines.Scan() {
			was = lines.Text()
		}
		if lines.Scan() {
			will = lines.Text()
		}
		if was == "" || will == "" {
			return "", "", usagef("stdin has not two lines: the password until now, and the new one")
		}
		return was, will, nil
	}
	if !a.asks {
		return "", "", errNotAsked("password")
	}
	if was, err = a.promptSecret(ctx, a.inLanguage(askPassword)); err != nil {
		return "", "", err
	}
	if will, err = a.promptSecret(ctx, a.inLanguage(askNewPassword)); err != nil {
		return "", "", err
	}
	again, err := a.promptSecret(ctx, a.inLanguage(askPasswordOnce))
	if err == nil && again != will {
		err = errors.New("the new passwords differ; nothing was changed")
	}
	return was, will, err
}

var rightKind = kind{words: []string{"roles"}, path: "/api/v1/roles", key: "right", columns: []column{
	{head: "RIGHT", path: "right"}, {head: "ROLES", path: "roles"}, {head: "MEANING", path: "meaning"},
	{head: "REACH", path: "reach", wide: true},
}}

func rolesCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "roles", Short: "list what each role may do", Args: takes(0, 0), Example: "  ecpctl roles",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, _, err := a.client()
			if err != nil {
				return err
			}
			p, err := a.printer(rightKind)
			if err != nil {
				return err
			}
			return a.whole(cmd.Context(), c, p, rightKind.path, 0)
		},
	}
}

// acceptCommand accepts the Kubernetes that a target leads to now.
func acceptCommand(a *app) *cobra.Command {
	var identity string
	var yes bool
	k := kindOf("target")
	cmd := &cobra.Command{
		Use: "accept NAME", Args: takes(1, 1), ValidArgsFunction: a.names(k),
		Short: "say that the Kubernetes which a target leads to now takes the place of the one before",
		Long: "accept is for a target whose Kubernetes was moved or rebuilt. Until it is said, nothing is written\n" +
			"there, and nothing believed of it. Afterwards clusters that are not there say that they are lost.",
		Example: "  ecpctl catalog target accept east --identity 6f3ae0f3-7a3b-4b0e-8a55-0d0fd3a2b1c4",
		RunE: func(cmd *cobra.Command, args []string) error {
			if identity == "" {
				return usagef("--identity is the uid of the namespace kube-system of that Kubernetes")
			}
			c, _, err := a.client()
			if err != nil {
				return err
			}
			if !yes {
				if err := a.ask(cmd.Context(), askAccept, args[0], identity); err != nil {
					return err
				}
			}
			var platform object
			r := client.Request{Method: http.MethodPost, Path: k.item(args[0]) + "/identity",
				Body: map[string]string{"identity": identity}}
			if _, err := c.Do(cmd.Context(), r, &platform); err != nil {
				return err
			}
			return a.printAnswer("identity", platform, func() error {
				a.tell("target %s is the Kubernetes %s", args[0], cmp.Or(platform.text("identity"), identity))
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&identity, "identity", "", "uid of its namespace kube-system")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}
