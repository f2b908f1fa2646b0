package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/openecp/openecp/client"
	"github.com/openecp/openecp/ecp"
	"github.com/spf13/cobra"
)

// fieldsOf turns a value into fields as JSON names them.
func fieldsOf(v any) (map[string]any, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var o object
	err = o.UnmarshalJSON(b)
	return o.fields, err
}

// follow tells the steps of an operation until it has ended. If the person has had enough,
// the operation goes on.
func (a *app) follow(ctx context.Context, c *client.Client, o ecp.Operation, name string, noWait bool) error {
	if noWait {
		return a.printOperation(o, true)
	}
	steps := &steps{a: a}
	last, err := c.WaitOperation(ctx, o.ID, steps.show)
	steps.endLine()
	if err != nil {
		a.tell("operation %s goes on; ecpctl op wait %s waits for it, ecpctl op cancel %s ends it", o.ID, o.ID, o.ID)
		return err
	}
	if last.Phase != ecp.PhaseSucceeded {
		return failedError{last}
	}
	note := ""
	if last.Note != "" {
		note = "; " + last.Note
	}
	a.tell("%s of %s succeeded%s", last.Kind, name, note)
	return a.printOperation(last, false)
}

// printOperation prints an operation in the form that was asked for; without one its id,
// if that is the answer.
func (a *app) printOperation(o ecp.Operation, idOnly bool) error {
	if a.flags.output == "" {
		if idOnly {
			fmt.Fprintln(a.out, o.ID)
		}
		return nil
	}
	fields, err := fieldsOf(o)
	if err != nil {
		return err
	}
	return a.printOne(operationKind, objectOf(fields))
}

// steps shows where an operation stands: on a terminal in one line for each step, which
// counts up, elsewhere in a line for each change.
type steps struct {
	a    *app
	step int // shown last; 0 = none
	line string
}

func (s *steps) show(o ecp.Operation) {
	if len(o.Steps) == 0 {
		return
	}
	at := len(o.Steps) - 1
	for i, step := range o.Steps {
		if step.Done < step.Total {
			at = i
			break
		}
	}
	step := o.Steps[at]
	line := fmt.Sprintf("[%d/%d] %s %d/%d", at+1, len(o.Steps), step.Name, step.Done, step.Total)
	if !step.Until.IsZero() {
		line += ", waits until " + step.Until.Local().Format("2006-01-02 15:04")
	}
	if line == s.line {
		return
	}
	if !s.a.tells {
		s.a.tell("%s", line)
	} else {
		if s.step != 0 && s.step != at+1 {
			fmt.Fprintln(s.a.err)
		}
		fmt.Fprint(s.a.err, "\r\x1b[K"+line)
	}
	s.step, s.line = at+1, line
}

// endLine ends the line that is counted up in.
func (s *steps) endLine() {
	if s.a.tells && s.step != 0 {
		fmt.Fprintln(s.a.err)
	}
}

func operationCommand(a *app) *cobra.Command {
	return grouped("op", "list, show, await and cancel operations", "  ecpctl op list sensors",
		operationList(a), operationGet(a), operationWait(a), operationCancel(a))
}

func operationList(a *app) *cobra.Command {
	var l listing
	cmd := &cobra.Command{
		Use: "list CLUSTER", Short: "list the operations of a cluster, newest first", Args: takes(1, 1),
		Example:           "  ecpctl op list sensors --limit 5\n  ecpctl op list sensors -w",
		ValidArgsFunction: a.names(clusterKind),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, o, err := a.cluster(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			path := clusterKind.item(o.text("id")) + "/operations"
			if l.watch {
				return a.watchOf(cmd.Context(), c, operationKind, o.text("id"), path)
			}
			return a.list(cmd.Context(), c, operationKind, path, l.values(), l.most)
		},
	}
	l.define(cmd, operationKind, true)
	return cmd
}

func operationGet(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "get OPERATION", Short: "show an operation", Args: takes(1, 1),
		Example: "  ecpctl op get op-0123456789abcdef -o yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, _, err := a.client()
			if err != nil {
				return err
			}
			o, err := a.find(cmd.Context(), c, operationKind, args[0], "")
			if err != nil {
				return err
			}
			return a.printOne(operationKind, o)
		},
	}
}

func operationWait(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "wait OPERATION", Short: "wait for the end of an operation, and tell its steps", Args: takes(1, 1),
		Example: "  ecpctl op wait op-0123456789abcdef --timeout 10m",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, _, err := a.client()
			if err != nil {
				return err
			}
			o, err := c.Operation(cmd.Context(), ecp.OperationID(args[0]))
			if err != nil {
				return err
			}
			return a.follow(cmd.Context(), c, o, string(o.Cluster), false)
		},
	}
}

func operationCancel(a *app) *cobra.Command {
	var noWait bool
	cmd := &cobra.Command{
		Use: "cancel OPERATION", Short: "end an operation, and go back to what was wanted before it", Args: takes(1, 1),
		Example: "  ecpctl op cancel op-0123456789abcdef",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, _, err := a.client()
			if err != nil {
				return err
			}
			back, err := c.CancelOperation(cmd.Context(), ecp.OperationID(args[0]))
			if err != nil {
				return err
			}
			if string(back.ID) == args[0] {
				a.tell("operation %s was cancelled before", args[0])
				return nil
			}
			return a.follow(cmd.Context(), c, back, string(back.Cluster), noWait)
		},
	}
	cmd.Flags().BoolVar(&noWait, "no-wait", false,
		"print the id of the operation that leads back, and do not wait for it")
	return cmd
}
